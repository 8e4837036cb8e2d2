"""A judge: any OpenAI-compatible endpoint that scores what a model made, asked only on the user's word.

Where it is, what it is called and its key come from the environment: SWIRL_JUDGE_URL, SWIRL_JUDGE_MODEL and
SWIRL_JUDGE_KEY. Nothing is sent anywhere else, and an answer that was paid for once is kept in the history.
"""

from swirl.evaluation.judge.asking import Judge
from swirl.evaluation.judge.endpoint import Endpoint, from_environment
from swirl.evaluation.judge.estimate import Load, estimate
from swirl.evaluation.judge.question import Question
from swirl.evaluation.judge.reading import Nonsense, numbers

__all__ = ["Endpoint", "Judge", "Load", "Nonsense", "Question", "estimate", "from_environment", "numbers"]
