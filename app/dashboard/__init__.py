"""The dashboard: pages in Streamlit, components of our own."""
