import csv
import io
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from tests.unit.made import the_results

import bakeoff.report
from bakeoff.errors import StoreError
from bakeoff.records import Accuracy, Load, RunRecord, Scenario, Status, Summary
from bakeoff.report import write_all
from bakeoff.report.command import command_line
from bakeoff.report.csv_files import study_files, to_csv
from bakeoff.report.files import write_texts
from bakeoff.report.json_file import SCHEMA, to_json
from bakeoff.report.machine_line import machine_line
from bakeoff.report.markdown import to_markdown
from bakeoff.report.terminal import to_text

pytestmark = pytest.mark.unit

Rows = Sequence[Summary]
CASE_FIELDS = [
    *("contender", "engine", "framework_version", "release", "model", "batch_size", "threads", "precision", "device"),
    *("league", "status", "reason", "requested", "effective", "fps", "fps_ci95", "fps_df", "latency_ms", "load_s"),
    *("first_inference_s", "peak_rss_mb", "cores_used", "parity", "accuracy", "trials", "cautions"),
]


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    path = Path(bakeoff.report.__file__).with_name("results.schema.json")
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


# JSON


def test_accuracy_stands_beside_speed_in_every_report(run: RunRecord, rows: Rows, schema: dict[str, Any]) -> None:
    rows = [msgspec.structs.replace(rows[0], accuracy=Accuracy(right=18, pictures=20)), *rows[1:]]
    models = tuple(msgspec.structs.replace(model, pictures=20) for model in run.models[:1])
    run = msgspec.structs.replace(run, models=(*models, *run.models[1:]))
    document = json.loads(to_json(the_results(run, rows)))
    jsonschema.validate(document, schema)
    assert document["cases"][0]["accuracy"] == {"right": 18, "pictures": 20}
    assert document["cases"][1]["accuracy"] is None
    assert [row["accuracy"] for row in csv.DictReader(io.StringIO(to_csv(the_results(run, rows))))][:2] == ["0.9", ""]
    for text in (to_markdown(the_results(run, rows)), to_text(the_results(run, rows), width=200)):
        assert text.count("18/20") >= 1
        assert "accuracy: labelled pictures whose class scores highest, of resnet18 20" in text


def test_the_json_is_what_its_schema_says(run: RunRecord, rows: Rows, schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(to_json(the_results(run, rows))), schema)
    assert schema["$id"] == SCHEMA


def test_every_case_has_exactly_the_promised_fields(run: RunRecord, rows: Rows, schema: dict[str, Any]) -> None:
    document = json.loads(to_json(the_results(run, rows)))
    assert list(document) == ["schema", "run", "machine", "indifference", "answers", "verdicts", "cases", "canary"]
    assert all(case.keys() == set(CASE_FIELDS) for case in document["cases"])
    assert len(document["cases"]) == len(rows)
    # Files from before there were these are results too.
    assert schema["$defs"]["case"]["required"] == [
        field for field in CASE_FIELDS if field not in {"accuracy", "fps_df"}
    ]


def test_the_schema_refuses_what_is_not_results(run: RunRecord, rows: Rows, schema: dict[str, Any]) -> None:
    validator = jsonschema.Draft202012Validator(schema)
    changes: list[dict[str, Any]]
    changes = [{"status": "fine"}, {"fps": -1}, {"fps_ci95": [1]}, {"latency_ms": {}}, {"extra": 1}]
    for change in changes:
        document = json.loads(to_json(the_results(run, rows)))
        document["cases"][0] |= change
        assert not validator.is_valid(document), change


def test_what_is_no_number_becomes_null(run: RunRecord, rows: Rows) -> None:
    odd = msgspec.structs.replace(rows[0], fps=float("nan"), effective={"scale": float("inf")})
    case = json.loads(to_json(the_results(run, [odd])))["cases"][0]
    assert (case["fps"], case["effective"]) == (None, {"scale": None})


def test_a_case_never_compared_has_an_empty_parity(run: RunRecord, rows: Rows) -> None:
    bare = next(row for row in rows if row.parity is None)
    assert json.loads(to_json(the_results(run, [bare])))["cases"][0]["parity"] == {
        "max_rel_error": None,
        "top1_agreement": None,
    }


# CSV


def test_the_csv_has_a_row_for_every_case(run: RunRecord, rows: Rows) -> None:
    table = list(csv.DictReader(io.StringIO(to_csv(the_results(run, rows)))))
    assert [(r["engine"], r["model"], int(r["batch_size"])) for r in table] == [
        (row.case.contender.name, row.case.model, row.case.batch_size) for row in rows
    ]
    assert [float(r["fps"]) if r["fps"] else None for r in table] == [row.fps for row in rows]
    keras = next(r for r in table if r["engine"] == "keras")
    assert keras["cautions"] == "provisional: 2 rounds; cores: 3.1 used with 2 threads asked"
    assert {r["release"] for r in table if r["engine"] == "pytorch-2019"} == {"2019"}


def test_the_study_s_files_have_its_columns_and_its_arithmetic(run: RunRecord, rows: Rows) -> None:
    files = study_files(the_results(run, rows))
    assert list(files) == [f"{engine}_model_speed_experiments.csv" for engine in run.plan.names]
    text = files["openvino_model_speed_experiments.csv"]
    assert text.startswith("model_name,bs,bs_time,fps\n")
    table = list(csv.DictReader(io.StringIO(text)))
    assert [(r["model_name"], r["bs"]) for r in table] == [
        (model, str(batch)) for model in run.plan.models for batch in run.plan.batch_sizes
    ]
    assert all(float(r["fps"]) == pytest.approx(int(r["bs"]) / float(r["bs_time"])) for r in table)
    assert files["ncnn_model_speed_experiments.csv"] == "model_name,bs,bs_time,fps\n"


# Markdown


def test_the_markdown_says_what_ran_where_when_and_how(run: RunRecord, rows: Rows) -> None:
    text = to_markdown(the_results(run, rows))
    for part in (
        "# bakeoff 2026-11-23-1",
        "AMD EPYC, 2 CPUs, AVX-512 VNNI, 25 GB, Debian GNU/Linux 12",
        "2 threads, fp32, cpu",
        command_line(run.plan),
        "date: 2026-11-23 20:00 UTC",
        "6 rounds in 14.8 min, finished",
    ):
        assert part in text


def test_every_markdown_table_is_rectangular(run: RunRecord, rows: Rows) -> None:
    tables = [
        block.splitlines() for block in to_markdown(the_results(run, rows)).split("\n\n") if block.startswith("|")
    ]
    assert [len(table) - 2 for table in tables] == [7, 28, 28]
    for table in tables:
        assert len({line.replace("\\|", "").count("|") for line in table}) == 1
    assert tables[0][2].startswith("| openvino | **114** ±2% |")


def test_markdown_in_a_reason_is_shown_as_it_is(run: RunRecord, rows: Rows) -> None:
    assert r"pytorch-2019: unavailable: no Python 3.6 \| \`pyenv install 3.6\`" in to_markdown(the_results(run, rows))


# Under load


def loaded(run: RunRecord, rows: Rows, scenario: Scenario, **found: Any) -> tuple[RunRecord, list[Summary]]:
    """The run and its rows as of a scenario."""
    load = Load(scenario=scenario, instances=2, threads=1, rate=9.0, queries=662, **found)
    of_load = [msgspec.structs.replace(row, load=load if row.status is Status.OK else None) for row in rows]
    return msgspec.structs.replace(run, plan=msgspec.structs.replace(run.plan, scenario=scenario)), of_load


def test_under_load_the_json_tells_how_the_figure_came_about(
    run: RunRecord, rows: Rows, schema: dict[str, Any]
) -> None:
    document = json.loads(to_json(the_results(*loaded(run, rows, Scenario.SERVER, bound_s=0.05, p99_s=0.049))))
    jsonschema.validate(document, schema)
    (load,) = {json.dumps(case["load"]) for case in document["cases"] if "load" in case}
    assert json.loads(load) == {
        "scenario": "server",
        "instances": 2,
        "threads_each": 1,
        "queries": 662,
        "bound_ms": 50.0,
        "p99_ms": 49.0,
    }


@pytest.mark.parametrize(
    ("scenario", "found", "said"),
    [
        (
            Scenario.OFFLINE,
            {},
            [
                "## Samples per second, offline",
                "| samples/s |",
                "all queries at once; instances x threads: openvino 2 x 1",
            ],
        ),
        (
            Scenario.SERVER,
            {"bound_s": 0.05, "p99_s": 0.049},
            [
                "## Queries per second that a server holds",
                "| queries/s |",
                "99% are answered within 50.0 ms of arriving",
            ],
        ),
    ],
)
def test_under_load_the_table_says_what_its_figures_are(
    run: RunRecord, rows: Rows, scenario: Scenario, found: dict[str, Any], said: list[str]
) -> None:
    text = to_markdown(the_results(*loaded(run, rows, scenario, **found)))
    for part in (*said, f"2 threads, fp32, cpu, {scenario} scenario"):
        assert part in text


def test_under_load_the_csv_has_the_split_and_there_are_no_files_of_the_study_s(run: RunRecord, rows: Rows) -> None:
    run_, rows_ = loaded(run, rows, Scenario.OFFLINE)
    lines = list(csv.DictReader(io.StringIO(to_csv(the_results(run_, rows_)))))
    assert {line["instances"] for line in lines} == {"2", ""}
    assert not study_files(the_results(run_, rows_))


# The command line and the machine's line


def test_the_command_repeats_the_plan(run: RunRecord) -> None:
    engines = ",".join(run.plan.names)
    assert command_line(run.plan) == (
        f"bakeoff run resnet18 resnet50 --engines {engines} --batch 1,2,4,8 --threads 2 "
        "--weights 'my weights.pth' --budget 900s --no-profile"
    )
    changed = msgspec.structs.replace(
        run.plan, weights="seeded", rounds=3, seed=7, quick=True, timeout_s=60.0, engines_dirs=("my engines",)
    )
    assert command_line(changed).endswith(
        "--rounds 3 --budget 900s --timeout 60s --seed 7 --quick --engines-dir 'my engines'"
    )


@pytest.mark.parametrize(
    ("machine", "line"),
    [
        ({}, "unknown machine"),
        ({"cpu": "A", "logical_cpus": 8, "usable_cpus": 2}, "A, 2 of 8 CPUs"),
        ({"cpu": "A", "logical_cpus": 8, "usable_cpus": 8, "physical_cores": 4}, "A, 4 cores, 8 CPUs"),
        ({"instruction_sets": ["avx2"], "memory_limit_bytes": 2_000_000_000, "memory_bytes": 9e9}, "AVX2, 2 GB"),
        ({"instruction_sets": None, "virtualization": "a virtual machine"}, "in a virtual machine"),
    ],
)
def test_the_machine_s_line_tells_what_is_known(machine: dict[str, Any], line: str) -> None:
    assert machine_line(machine) == line


# Writing


def test_all_files_are_written_and_nothing_else(run: RunRecord, rows: Rows, tmp_path: Path) -> None:
    folder = tmp_path / "new" / run.name
    paths = write_all(folder, the_results(run, rows))
    assert sorted(paths) == sorted(folder.iterdir())
    assert {"table.md", "results.csv", "results.json"} < {path.name for path in paths}
    assert json.loads((folder / "results.json").read_text(encoding="utf-8"))["run"]["name"] == run.name


def test_files_of_an_earlier_report_are_replaced(run: RunRecord, rows: Rows, tmp_path: Path) -> None:
    write_all(tmp_path, the_results(run, rows))
    write_all(tmp_path, the_results(msgspec.structs.replace(run, name="again"), rows))
    assert (tmp_path / "table.md").read_text(encoding="utf-8").startswith("# bakeoff again")


def test_a_file_that_cannot_be_written_is_named(run: RunRecord, rows: Rows, tmp_path: Path) -> None:
    (tmp_path / "results.csv").mkdir()
    with pytest.raises(StoreError, match=r"results\.csv could not be written"):
        write_all(tmp_path, the_results(run, rows))
    assert not list(tmp_path.glob(".*"))


@pytest.mark.skipif(os.name != "posix", reason="links and pipes are POSIX")
def test_links_are_followed_and_what_is_no_plain_file_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "linked").symlink_to("shared/kept")
    for text in ("old", "new"):  # where the link leads to nothing yet, and where to a file
        write_texts(tmp_path, {"linked": text})
        assert (tmp_path / "linked").is_symlink()
        assert (tmp_path / "shared" / "kept").read_text() == text
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/full")
    (tmp_path / "circle").symlink_to("circle")
    for name in ("pipe", "device", "shared", "circle"):
        before = (tmp_path / name).lstat()
        with pytest.raises(StoreError, match=f"{name} could not be written"):
            write_texts(tmp_path, {"first": "never", name: "never"})
        assert (tmp_path / name).lstat().st_mode == before.st_mode
    assert Path("/dev/full").is_char_device()
    assert {path.name for path in tmp_path.iterdir()} == {"shared", "linked", "pipe", "device", "circle"}


def test_a_folder_that_cannot_be_made_is_named(run: RunRecord, rows: Rows, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"file.table\.md could not be written"):
        write_all(tmp_path / "file", the_results(run, rows))


@pytest.mark.skipif(sys.platform != "linux", reason="limits file sizes as only POSIX can")
def test_a_full_disk_is_named_and_leaves_the_old_files(tmp_path: Path) -> None:
    write_texts(tmp_path, {"a.txt": "old", "b.txt": "old"})
    program = """
        import pathlib, resource, signal, sys
        from bakeoff.errors import StoreError
        from bakeoff.report.files import write_texts
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            write_texts(pathlib.Path(sys.argv[1]), {"a.txt": "new", "b.txt": "new" * 1000})
        except StoreError as error:
            print(error)
    """
    command = [sys.executable, "-c", textwrap.dedent(program), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "b.txt could not be written" in done.stdout
    assert {path.name: path.read_text() for path in tmp_path.iterdir() if path.is_file()} == {
        "a.txt": "old",
        "b.txt": "old",
    }
