"""The prompts for the judge, by benchmark. The wording is ours; the scales are the paper's."""

from __future__ import annotations

EDIT = """\
The first picture is the source. The second is what a model made of it under this instruction:
{instruction}

Give two numbers from 0 to 10. The first, success: 10 if the second picture shows exactly what the instruction asks \
for, 0 if it does not show it at all. The second, overedit: 10 if nothing was changed that the instruction does not \
ask for, 0 if the second picture has hardly anything to do with the first.
Answer with one JSON object and nothing else: {"score": [success, overedit]}"""

ACTION = """\
The second picture follows the first. A person describes what was done between them as:
{instruction}

A model describes it as:
{answer}

Give a number from 1 to 5: 5 if the model's description fits the two pictures and means the same as the person's, 1 if \
it is wrong.
Answer with one JSON object and nothing else: {"score": number}"""

MOTION = """\
The first picture is the source, the second the target, the third what a model made of the source under this \
instruction:
{instruction}

Give a number from 0 to 100: 100 if the third picture follows the instruction as well as the target does and keeps \
everything else of the source, 0 if it does neither.
Answer with one JSON object and nothing else: {"Score": number}"""

TURN = """\
The first picture shows what was observed after this step of a procedure:
{instruction}

The second is a model's prediction of it. Give a number from 0 to 10: 10 if the prediction shows the state after this \
step as the observed picture does, 0 if it does not show it at all.
Answer with one JSON object and nothing else: {"score": number}"""
