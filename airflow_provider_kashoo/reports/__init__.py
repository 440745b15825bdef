"""What people read and sign: each report as typed rows, as JSON, and as one page."""
