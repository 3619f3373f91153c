"""A store of any earlier bakeoff opens with everything that was in it, on both databases."""

from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.command import downgrade, upgrade
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import make_url

from bakeoff.errors import StoreError
from bakeoff.records import Status
from bakeoff.store import Store
from bakeoff.store.opening import MIGRATIONS, connect
from bakeoff.store.schema import METADATA, REVISIONS

pytestmark = pytest.mark.unit

# Rows as bakeoff wrote them at revision 0001, to the byte.
RUN = {
    "id": 1,
    "name": "2026-11-23-1",
    "state": "finished",
    "started_at": 1.5e9,
    "elapsed_s": 12.5,
    "bakeoff_version": "0.1.0",
    "plan": '{"models":["resnet18"],"engines":["onnxruntime","openvino"],"batch_sizes":[1],"threads":2,"weights":'
    '"seeded","precision":"fp32","device":"cpu","seed":0,"rounds":null,"budget_s":900.0,"target_ci":0.02,'
    '"target_ci_rest":0.05,"timeout_s":300.0,"bursts":2,"quick":false,"engines_dirs":[]}',
    "machine": '{"cpu":"a processor","digest":"0123456789ab"}',
    "models": '[{"name":"resnet18","digest":"' + "ab" * 32 + '","weights":"seeded","inputs":[{"name":"input","dtype":'
    '"float32","shape":[null,3,224,224]}],"outputs":[{"name":"logits","dtype":"float32","shape":[null,1000]}],'
    '"classes":1000,"parameters":0,"flops":0}]',
    "engines": '[{"name":"onnxruntime","title":"ONNX Runtime","framework":"onnxruntime","release":"today","league":'
    '"fp32","environment":""}]',
}
TRIAL = {
    "id": 1,
    "run_id": 1,
    "round": 1,
    "engine": "onnxruntime",
    "model": "resnet18",
    "batch_size": 1,
    "threads": 2,
    "precision": "fp32",
    "device": "cpu",
    "status": "ok",
    "reason": "",
    "framework_version": "1.32.0",
    "started_at": 1.6e9,
    "details": bytes.fromhex(
        "86a36c6f67a0b2656e7669726f6e6d656e745f646967657374b063646364636463646364636463646364a972657175657374656480a9"
        "65666665637469766580a6706172697479c0ab6d6561737572656d656e748ca96c6174656e6369657390a77761726d5f757090a66c6f"
        "61645f73cb3ff0000000000000a9707265706172655f73cb3fe0000000000000b166697273745f696e666572656e63655f73cb3fe000"
        "0000000000a8696d706f72745f73cb3fd0000000000000a762757273745f7391cb3fe8000000000000a56370755f739181a23137cb3f"
        "e0000000000000b2766f6c756e746172795f737769746368657303b4696e766f6c756e746172795f737769746368657301ab7065616b"
        "5f7273735f6d62cb4060000000000000a4636f6c64c3"
    ),
    "samples": bytes.fromhex("92c408000000000000f03fc410000000000000d03f000000000000e03f"),
}


def address(target: str) -> str:
    """`target` as SQLAlchemy has it."""
    if "://" not in target:
        return f"sqlite:///{target}/bakeoff.sqlite"
    return make_url(target).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def config() -> Config:
    found = Config()
    found.set_main_option("script_location", str(MIGRATIONS))
    return found


@pytest.fixture
def first_store(target: str) -> str:
    """A store as revision 0001 left it."""
    engine = create_engine(address(target))
    with engine.begin() as connection:
        settings = config()
        settings.attributes["connection"] = connection
        upgrade(settings, "0001")
        for table, row in (("runs", RUN), ("trials", TRIAL)):
            insert(connection, table, row)
    engine.dispose()
    return target


def insert(connection: Connection, table: str, row: dict[str, Any]) -> None:
    values = ", ".join(f":{name}" for name in row)
    connection.execute(text(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({values})"), row)  # noqa: S608 - our names


def test_a_store_of_the_first_bakeoff_keeps_its_runs_and_trials(first_store: str) -> None:
    with Store.open(first_store, create=False) as store:
        run = store.run()
        assert (run.name, run.plan.names, run.models[0].digest) == (
            "2026-11-23-1",
            ("onnxruntime", "openvino"),
            "ab" * 32,
        )
        assert (run.tags, run.engines[0].snapshot) == ((), "")
        (trial,) = store.trials()
    assert (trial.status, trial.environment_digest) == (Status.OK, "cd" * 8)
    assert trial.case in run.plan.cases()
    assert trial.case.contender.threads == 2
    assert trial.measurement
    assert (trial.measurement.latencies, trial.measurement.warm_up) == (((0.25, 0.5),), (1.0,))


def test_a_damaged_row_costs_no_store_its_migration(first_store: str) -> None:
    engine = create_engine(address(first_store))
    with engine.begin() as connection:
        for number, column in enumerate(("plan", "machine", "models"), 2):
            insert(connection, "runs", RUN | {"id": number, "name": f"{number}", "started_at": 1e9, column: "[1"})
        for number, details in enumerate((b"\xc1", b"\x91\x01"), 2):
            insert(connection, "trials", TRIAL | {"id": number, "details": details})
    engine.dispose()
    said: list[str] = []
    with Store.open(first_store, create=False, say=said.append) as store:
        assert [run.name for run in store.runs()] == ["2026-11-23-1"]
        assert len(store.trials()) == 1
    assert len(said) == 5


def test_what_is_new_is_found_in_old_runs_too(first_store: str) -> None:
    with Store.open(first_store, create=False) as store:
        for runs in (store.history(engine="openvino", model="resnet18"), store.history(machine="012345")):
            assert [run.name for run in runs] == ["2026-11-23-1"]
        assert store.history(engine="keras") == []
    engine = create_engine(address(first_store))
    with engine.connect() as connection:
        row = connection.execute(text("SELECT model_digest, environment_digest, key, contender FROM trials")).one()
    engine.dispose()
    assert row == ("ab" * 32, "cd" * 8, None, "onnxruntime")


def lead_back(target: str) -> None:
    """Undo every migration but the first."""
    engine = create_engine(address(target))
    with engine.begin() as connection:
        settings = config()
        settings.attributes["connection"] = connection
        downgrade(settings, "0001")
    engine.dispose()


def test_every_migration_can_be_undone_and_done_again(first_store: str) -> None:
    Store.open(first_store).close()
    lead_back(first_store)
    with Store.open(first_store, create=False) as store:
        assert len(store.trials()) == 1


def differences(target: str) -> list[Any]:
    """What a store's schema, brought to head, is other than that of the code."""
    engine = connect(target, create=False).engine
    with engine.connect() as connection:
        found: list[Any] = compare_metadata(MigrationContext.configure(connection), METADATA)
    engine.dispose()
    return found


def test_the_migrations_lead_to_the_very_schema_that_the_code_uses(first_store: str) -> None:
    assert differences(first_store) == []


def test_a_new_store_is_as_if_the_migrations_had_led_to_it(target: str) -> None:
    Store.open(target).close()
    assert differences(target) == []
    lead_back(target)
    assert differences(target) == []


def test_the_revisions_known_without_alembic_are_those_of_the_migrations() -> None:
    script = ScriptDirectory.from_config(config())
    assert tuple(revision.revision for revision in reversed(list(script.walk_revisions()))) == REVISIONS


def test_a_store_of_a_newer_bakeoff_is_refused_by_that_name(target: str) -> None:
    Store.open(target).close()
    engine: Any = create_engine(address(target))
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    for create in (True, False):
        with pytest.raises(StoreError, match="written by a newer bakeoff") as caught:
            Store.open(target, create=create)
        assert "Upgrade bakeoff" in str(caught.value.advice)
