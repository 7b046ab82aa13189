"""The store on its own: migrations, retention."""
