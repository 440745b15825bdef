"""Airflow's settings and connections become a run."""
