"""Entry point: page set-up and navigation. Start it with `make run`."""

import streamlit as st

from components import theme

st.set_page_config(page_title="Generative playground", page_icon=":material/tune:", layout="wide")
page = st.navigation(
    {
        "": [st.Page("pages/start.py", title="Home", icon=":material/home:", default=True)],
        "Create": [st.Page("pages/text.py", title="Text", icon=":material/article:")],
    }
)
theme.apply()
page.run()
