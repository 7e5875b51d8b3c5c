import pytest

from emotion_pipeline.components.errors import UserError
from emotion_pipeline.configs import PipelineConfig
from emotion_pipeline.pipeline import STATISTICS_END, VALIDATION_END, create_pipeline


def ids(last=None):
    return {one.id for one in create_pipeline(PipelineConfig(root="/nowhere"), last).components}


def test_a_validation_is_the_first_part_of_the_run():
    statistics = {
        "ImageIngest",
        "ImageAudit",
        "ImageExampleGen",
        "ImportSchemaGen",
        "StatisticsGen",
    }
    validation = statistics | {"ExampleValidator", "DriftValidator", "AnomalyGate"}
    assert ids(STATISTICS_END) == statistics
    assert ids(VALIDATION_END) == validation
    assert validation < ids()


def test_nothing_is_balanced_before_the_gate():
    components = {one.id: one for one in create_pipeline(PipelineConfig(root="/x")).components}
    assert components["AnomalyGate"] in components["ClassBalancer"].upstream_nodes


def test_refuses_an_unknown_end():
    with pytest.raises(ValueError, match="Nothing"):
        create_pipeline(PipelineConfig(root="/nowhere"), "Nothing")


def test_the_cache_knows_the_content_of_the_votes(tmp_path):
    votes = tmp_path / "votes.csv"

    def given(**settings):
        config = PipelineConfig(root="/nowhere", votes=str(votes), **settings)
        properties = create_pipeline(config).components[0].exec_properties
        return properties["votes"], properties["votes_fingerprint"]

    votes.write_text("file,happy\n")
    path, one = given()
    votes.write_text("file,sad\n")
    assert (path, given()[0]) == (str(votes), str(votes))
    assert given() == given()
    assert given()[1] not in ("", one)
    votes.unlink()
    assert given(cache=False) == (str(votes), "")
    with pytest.raises(UserError, match=r"--votes .*cannot be read"):
        given()
