"""What removes noise step by step, whatever is drawn so: schedulers, progress and Stop."""
