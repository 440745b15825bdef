from __future__ import annotations
def test_x(sandbox, store_file):
    import time
    from airflow.dag_processing.dagbag import DagBag
    t=time.time()
    bag=DagBag()
    print(bag.dags.keys(), bag.import_errors, bag.dag_warnings, time.time()-t)
    t=time.time()
    run=bag.dags["salesforce_to_kashoo"].test()
    print(run.state, run.run_type, time.time()-t)
    print(sandbox.state())
