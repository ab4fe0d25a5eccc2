"""Which manager a session is made on: the one beside the agent, or one of many."""

from rlm_kernel.agent.managers.claimed import ClaimOptions
from rlm_kernel.agent.managers.cluster import Cluster
from rlm_kernel.agent.managers.location import managers_at
from rlm_kernel.agent.managers.pool import ManagerPool
from rlm_kernel.agent.managers.seats import Managers, Seat

__all__ = ["ClaimOptions", "Cluster", "ManagerPool", "Managers", "Seat", "managers_at"]
