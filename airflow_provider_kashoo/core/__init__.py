"""The rules of the sync: pure functions, no Airflow, no I/O, no clock."""
