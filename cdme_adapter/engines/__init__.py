"""What differs between engines, as documented data and a few expression builders."""
