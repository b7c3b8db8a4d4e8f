"""The room of pictures: what draws them, takes them in and looks into their making."""
