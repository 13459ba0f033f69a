"""Programs that run on laptops alone, as files of their bundle: Python >= 3.9, its standard library, and no more."""
