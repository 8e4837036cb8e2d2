"""Score predictions with a judge: any OpenAI-compatible endpoint, asked only if the user requests it.

Its URL, model and key come from the environment: SWIRL_JUDGE_URL, SWIRL_JUDGE_MODEL and SWIRL_JUDGE_KEY. Nothing is
sent anywhere else, and the history keeps every usable answer, so that none is paid for twice.
"""

from swirl.evaluation.judge.answer_parsing import InvalidAnswerError, parse_numbers
from swirl.evaluation.judge.cost_estimate import JudgeCalls, describe_cost
from swirl.evaluation.judge.endpoint import Endpoint, endpoint_from_environment
from swirl.evaluation.judge.judge import Judge
from swirl.evaluation.judge.question import Question

__all__ = [
    "Endpoint",
    "InvalidAnswerError",
    "Judge",
    "JudgeCalls",
    "Question",
    "describe_cost",
    "endpoint_from_environment",
    "parse_numbers",
]
