"""The structures that ship: one file each, one line here.

A file defines a function from the senses' sizes to a blueprint and registers it, with its
variants, the problem that it is matched to and the control of that problem.
"""

from motley.agents.structures import binding as binding
from motley.agents.structures import bootstrap as bootstrap
from motley.agents.structures import drives as drives
from motley.agents.structures import episodic_memory as episodic_memory
from motley.agents.structures import feedforward as feedforward
from motley.agents.structures import homestead as homestead
from motley.agents.structures import memoryless as memoryless
from motley.agents.structures import motor_prediction as motor_prediction
from motley.agents.structures import object_tracking as object_tracking
from motley.agents.structures import path_integration as path_integration
from motley.agents.structures import play as play
from motley.agents.structures import uniform as uniform
from motley.agents.structures import working_memory as working_memory
