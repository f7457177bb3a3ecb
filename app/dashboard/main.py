"""The frame: page settings, navigation, style. The pages are in `app_pages/`."""

import altair  # noqa: F401  before any work in the background imports what it needs as well
import streamlit as st

from polysema.app.dashboard import parts

st.set_page_config(page_title="Polysema", page_icon="🧭", layout="wide", initial_sidebar_state="auto")
parts.style()
parts.warm_up()

page = st.navigation(  # one list, without sections: Streamlit nests those in a way that a screen reader can't read
    [
        st.Page("app_pages/lessons.py", title="Lessons", url_path="lessons"),
        st.Page("app_pages/analogies.py", title="Analogies", url_path="analogies", default=True),
        st.Page("app_pages/neighbours.py", title="Neighbours", url_path="neighbours"),
        st.Page("app_pages/contexts.py", title="Contexts", url_path="contexts"),
        st.Page("app_pages/map.py", title="Map", url_path="map"),
        st.Page("app_pages/compare.py", title="Compare", url_path="compare"),
        st.Page("app_pages/inside.py", title="Inside", url_path="inside"),
        st.Page("app_pages/data.py", title="Data", url_path="data"),
    ],
    expanded=True,
)
with st.sidebar:
    parts.sidebar_notes()
page.run()
