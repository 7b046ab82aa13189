"""A collector that is dead, slow or wrong neither fails nor holds up a run; nothing is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import tags_job
from openlineage.client.serde import Serde

from cdme_adapter.cli import cli
from cdme_adapter.emit import publish
from cdme_adapter.emit.datasets import _read
from cdme_adapter.emit.messages import public_message
from cdme_adapter.emit.switch import is_configured
from cdme_adapter.emit.texts import Printer
from tests.emit.collector import Collector
from tests.functional.project import Project, release

FILES = {
    "raw.csv": "id,v\n1,0\n2,1\n",
    "a.sql": "{{ config(materialized='table') }} select id from {{ ref('raw') }} where v > 0",
}


def emit(project: Project, *args: str) -> Result:
    release()
    where = ["--project-dir", str(project.root), "--profiles-dir", str(project.root)]
    return CliRunner().invoke(cli, ["emit", *where, "--output", "json", *args])


def waiting(project: Project) -> list[bytes]:
    query = "SELECT event FROM cdme.store_outbox WHERE sent_at IS NULL ORDER BY position"
    return [row[0].encode() for row in project.sql(query)]


@pytest.mark.parametrize("fault", ["dead", "slow", "wrong"])
def test_a_collector_in_trouble(project: Project, collector: Collector, fault: str,
                                monkeypatch: pytest.MonkeyPatch,
                                caplog: pytest.LogCaptureFixture) -> None:  # fmt: skip
    project.configure(vars={"cdme": {"emit": {"timeout": 0.5}}})
    began = time.monotonic()
    project.write(FILES).dbt("build")
    usual = time.monotonic() - began
    healthy = len(collector.bodies)
    assert healthy == 6 and waiting(project) == []
    if fault == "dead":
        collector.close()
    elif fault == "slow":
        collector.delay = 30
    else:
        collector.status = 500
    collector.bodies.clear()
    began = time.monotonic()
    outcome = project.dbt("build")
    took = time.monotonic() - began
    assert took < usual + 8, f"{took} seconds: the client alone retries for nine and more"
    assert "EMIT_WAITING" in outcome.log and "cdme emit" in outcome.log
    assert not [r for r in caplog.records if r.name.startswith("urllib3") and r.levelname == "WARNING"]
    first = waiting(project)
    assert len(first) == healthy
    project.dbt("run")
    assert waiting(project)[: len(first)] == first  # in the order of their making
    again = Collector()
    monkeypatch.setenv("OPENLINEAGE_URL", again.url)
    for name in [name for name in os.environ if name.startswith("OPENLINEAGE__")]:
        monkeypatch.delenv(name)
    expected = waiting(project)
    done = emit(project)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {
        "sent": len(expected), "waiting": 0, "refused": 0, "discarded": 0, "problem": None,
    }  # fmt: skip
    assert again.bodies == expected
    assert {body for body in collector.refused if body in first} <= set(first)
    if fault == "wrong":
        assert collector.refused and set(collector.refused) == {first[0]}  # it stops at the first
    assert waiting(project) == [] and json.loads(emit(project).stdout)["sent"] == 0
    again.close()


def test_what_waits_goes_out_before_what_is_new(project: Project, collector: Collector) -> None:
    project.configure(vars={"cdme": {"emit": {"timeout": 0.3}}})
    collector.status = 500
    project.write(FILES).dbt("build")
    kept = waiting(project)
    collector.status = 200
    project.configure(vars={"cdme": {"emit": {"timeout": 30}}})
    project.dbt("run")
    # The first run's last attempt may have come through meanwhile: at least once, in order.
    once = list(dict.fromkeys(collector.bodies))
    assert once[: len(kept)] == kept and len(once) == len(kept) + 4
    assert waiting(project) == []


@pytest.mark.parametrize("status", [422, 501])
def test_a_poisoned_event_holds_nothing_up(project: Project, collector: Collector, status: int) -> None:
    """Refused by its status, or found out because what is behind it goes through."""
    project.configure(vars={"cdme": {"emit": {"timeout": 30}}})
    collector.poison[b'"name":"seed.shop.raw"'] = collector.poison[b'"name": "seed.shop.raw"'] = status
    outcome = project.write(FILES).dbt("build")
    if status == 501:  # that may be the collector: it waits for the next delivery, and the next
        assert "EMIT_WAITING" in outcome.log and len(collector.bodies) == 1
        assert json.loads(emit(project).stdout)["waiting"] == 5
        for _ in range(4):  # two deliveries for each of its two events, which need not be neighbours
            emit(project, "--timeout", "60")
    else:
        assert "EMIT_REFUSED" in outcome.log and "422" in outcome.log
    assert len(collector.bodies) == 4 and waiting(project) == sorted(set(collector.refused), key=order)
    answer = json.loads(emit(project).stdout)
    assert (answer["sent"], answer["waiting"], answer["refused"]) == (0, 0, 2)
    collector.poison.clear()
    kept = waiting(project)
    done = emit(project, "--refused")
    assert (done.exit_code, json.loads(done.stdout)["sent"]) == (0, 2)
    assert collector.bodies[4:] == kept and waiting(project) == []


def test_what_waits_goes_out_while_the_next_run_runs(
    project: Project, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However little time is left for it at the end."""
    project.configure(vars={"cdme": {"emit": {"timeout": 0.3}}})
    collector.status = 500
    project.write(FILES).dbt("build")
    kept = waiting(project)
    collector.status = 200
    slow = "select count(*) as n from range(3000) a, range(3000) b, range(20) c, {{ ref('a') }} d"
    project.write({"z.sql": "{{ config(materialized='table') }} " + slow})
    monkeypatch.setattr(publish, "send_waiting", lambda *_: publish.Published(0, 6))  # no time left
    project.dbt("run")
    assert list(dict.fromkeys(collector.bodies)) == kept != []
    assert len(waiting(project)) == 6  # its own


def order(body: bytes) -> str:
    return str(json.loads(body)["eventType"] == "COMPLETE")


def test_the_run_operation_sends_too(project: Project, collector: Collector) -> None:
    root = Path(__file__).resolve().parents[2]
    project.configure(vars={"cdme": {"emit": {"timeout": 0.3}}})
    project.write(FILES)
    (project.root / "packages.yml").write_text(f"packages: [{{local: {root}}}]")
    collector.status = 500
    project.dbt("deps")
    project.dbt("build")
    kept = waiting(project)
    project.dbt("run-operation", "cdme_emit", "--args", "{timeout: 0.3}", ok=False)
    collector.status = 200
    project.dbt("run-operation", "cdme_emit")
    assert list(dict.fromkeys(collector.bodies)) == kept != [] and waiting(project) == []


def test_without_a_transport_nothing_is_made(project: Project) -> None:
    """Nothing is kept, and the client is not even loaded."""
    project.write(FILES)
    release()
    script = (
        "import sys; from dbt.cli.main import dbtRunner;"
        f"done = dbtRunner().invoke(['build', '--project-dir', {str(project.root)!r},"
        f" '--profiles-dir', {str(project.root)!r}]);"
        "print(done.success, [m for m in sys.modules if m.startswith('openlineage')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=project.root,
        env={k: v for k, v in os.environ.items() if not k.startswith("OPENLINEAGE")},
    )  # fmt: skip
    assert done.stdout.strip().splitlines()[-1] == "True []"
    assert project.one("SELECT count(*) FROM cdme.store_outbox") == 0
    refused = emit(project)
    assert refused.exit_code == 0 and json.loads(refused.stdout)["sent"] == 0
    with project.connect() as con:
        con.execute("INSERT INTO cdme.store_outbox VALUES ('r', 1, '{}', NULL)")
    refused = emit(project)
    assert refused.exit_code == 2 and "NO_TRANSPORT" in refused.output
    assert json.loads(emit(project, "--discard").stdout)["discarded"] == 1


def test_the_client_s_configuration_is_followed(tmp_path: Path) -> None:
    def asked(content: str | None = None, **env: str) -> bool:
        file = tmp_path / "openlineage.yml"
        file.unlink(missing_ok=True)
        if content is not None:
            file.write_text(content)
        return is_configured({"HOME": "/nowhere", **env}, tmp_path)

    assert not asked()
    assert asked(OPENLINEAGE_URL="http://x")
    assert not asked(OPENLINEAGE_URL="http://x", OPENLINEAGE_DISABLED="True")
    assert asked("transport: {type: file, log_file_path: x}")
    assert not asked("transport: {type: noop}") and not asked("facets: {}") and not asked("[")
    assert asked(OPENLINEAGE__TRANSPORT__TYPE="kafka")
    assert not asked(OPENLINEAGE__TRANSPORT__TYPE="noop", OPENLINEAGE_URL="http://x")
    (tmp_path / "other.yml").write_text("transport: {type: console}")
    assert asked(OPENLINEAGE_CONFIG=str(tmp_path / "other.yml"))


def test_what_is_printed_is_what_the_client_would_send() -> None:
    """Its tags, environment and filters applied; parts that events share are printed once."""
    tag = tags_job.TagsJobFacetFields(key="Nightly", value="true", source="DBT")
    config = {
        "transport": {"type": "noop"},
        "tags": {"job": {"nightly": "no", "team": "x"}, "run": {"a": "b"}},
        "facets": {"environment_variables": ["HOME"]},
        "filters": [{"type": "exact", "match": "dropped"}],
    }
    client = OpenLineageClient(config=config)
    printer = Printer(client)
    for name, facets in (("a", {"tags": tags_job.TagsJobFacet(tags=[tag])}), ("b", {}), ("dropped", {})):

        def event(name: str = name, facets: Any = facets) -> Any:
            run = Run("01900000-0000-7000-8000-000000000001", {"own": {"n": None, "list": [{}, None, 1]}})
            data = InputDataset("n", "d", facets={"b": {}, "a": _read(1)}, inputFacets={"s": _read(3)})
            made = OutputDataset(
                "n", 'ü"', facets={"e": {"of": RunState.FAIL}}, outputFacets={"s": _read(3)}
            )
            return RunEvent(
                eventType=RunState.FAIL, eventTime="2026-01-01T00:00:00.000Z", run=run, inputs=[data],
                job=Job("n", name, dict(facets)), producer="urn:p", outputs=[made],
            )  # fmt: skip

        made = client.update_event_tags_facets(client.add_environment_facets(event()))
        expected = None if name == "dropped" else Serde.to_json(made)
        assert printer.text(event()) == expected
        assert expected is None or ("HOME" in expected and '"team"' in expected)


def test_another_transport(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    target = project.root / "events.jsonl"
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__TYPE", "file")
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__LOG_FILE_PATH", str(target))
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__APPEND", "true")
    project.write(FILES).dbt("build")
    kinds = [json.loads(line)["eventType"] for line in target.read_text().splitlines()]
    assert kinds.count("START") == kinds.count("COMPLETE") == 3


@pytest.mark.parametrize(("message", "told"), [
    ("Runtime Error in model m (m.sql)\n  Binder Error: no column \"x\"", True),
    ("Compilation Error in model m (m.sql)\n  'x' is undefined", True),
    ("Runtime Error in model m\n  [LOSS_UNEXPECTED] model.p.m: 3 of 9 records", True),
    ("Runtime Error in model m\n  Constraint Error: Duplicate key \"id: 5\"", False),
    ("Runtime Error in model m\n  Conversion Error: 'x' is no number\n LINE 1: see Binder Error:", False),
    ("something odd with 5", False),
    ("Compilation Error in model m (m.sql)\n  got 5 of the table", False),
    ("Compilation Error in model m (m.sql)\n  [OF_A_MACRO] got 5 of the table", False),
    ("Compilation Error in model m (m.sql)\n  Model 'm' depends on a node named 'x'", True),
    ("Runtime Error in model m\n  Invalid Input Error: [OF_A_MODEL] 5", False),
])  # fmt: skip
def test_messages_that_may_hold_values_are_withheld(message: str, told: bool) -> None:
    said = public_message(message)
    assert ("withheld" in said) is not told
    assert (said in message) is told
