"""Carry out a plan: the protocols that a rollout needs, and the walk through its rings."""

from mvpc.rollout.seams import Inputs, Observer, Prober, Recorder, Results, Runner, Seams
from mvpc.rollout.walk import Rollout, roll_out

__all__ = ["Inputs", "Observer", "Prober", "Recorder", "Results", "Rollout", "Runner", "Seams", "roll_out"]
