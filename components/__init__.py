"""Everything that draws. Beside Home.py and pages/, the only package that imports streamlit."""
