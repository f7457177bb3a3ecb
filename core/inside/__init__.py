"""Between the layers: attention, the lens, what each part adds, and what happens when a part is changed."""
