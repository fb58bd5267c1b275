"""What the pictures of the documentation are made with; `docs/make_pictures.py` makes them."""
