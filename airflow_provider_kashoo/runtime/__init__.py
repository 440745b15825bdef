"""Turn Airflow's settings and connections into a run."""
