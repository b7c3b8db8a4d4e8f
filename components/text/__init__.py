"""The room of texts: stories and chats, and the looks into the models that write them."""
