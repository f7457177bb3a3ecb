"""The colors of the dashboard, and of the pages that are handed on."""

LIGHT = {
    "primaryColor": "#0f766e",
    "backgroundColor": "#ffffff",
    "secondaryBackgroundColor": "#f3f6f8",
    "textColor": "#0d1720",  # so dark that Streamlit's small print, 60 % of it, has a contrast of 4.5 : 1
    "borderColor": "#d5dde4",
}
DARK = {
    "primaryColor": "#2dd4bf",
    "backgroundColor": "#10161d",
    "secondaryBackgroundColor": "#1a232d",
    "textColor": "#e4ebf1",
    "borderColor": "#33414f",
}
