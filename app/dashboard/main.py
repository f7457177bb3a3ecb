"""The frame: page settings, navigation, style. The pages are in `app_pages/`."""

import altair  # noqa: F401  before any work in the background imports what it needs as well
import streamlit as st

from polysema.app.dashboard import permalink, reader_notes, share_menu, shared_link, trail, widgets
from polysema.app.dashboard.addresses import FIRST_PAGE, PAGES
from polysema.app.dashboard.components.steps import settle
from polysema.app.dashboard.data.endings import tell_endings
from polysema.app.dashboard.sharing import page_record
from polysema.app.dashboard.sharing.hand_out import hand_out

WIDE_PAGES = ("map",)  # they fill the window, so the list of pages is folded away


pages = {  # one list, without sections: Streamlit nests those in a way that a screen reader can't read
    one.name: st.Page(f"app_pages/{one.name}.py", title=one.title, url_path=one.name, default=one is FIRST_PAGE)
    for one in PAGES
}
page = st.navigation(list(pages.values()), expanded=True)
st.set_page_config(
    page_title="Polysema",
    page_icon="🧭",
    layout="wide",
    initial_sidebar_state="collapsed" if page.url_path in WIDE_PAGES else "auto",
)
trail.turn_page(page.url_path or FIRST_PAGE.name)
widgets.warm_up()
with st.sidebar:
    widgets.sidebar_notes()
    tell_endings(page.url_path)
widgets.note_missing_page(page.url_path)
shared_link.take_content()
share_menu.begin()
page_record.begin()
menu = st.container(key="ps_menu", horizontal=True, horizontal_alignment="right", gap="xsmall", width="content")
page.run()
hand_out()
share_menu.menus(menu)
reader_notes.note_page(page.url_path or FIRST_PAGE.name)
settle(
    page.url_path,
    [one.url_path for one in pages.values() if one.url_path],
    permalink.question(page.url_path or FIRST_PAGE.name),
)
