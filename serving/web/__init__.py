"""`emotion web`: a page on this computer that shows what the model says of a picture's faces."""
