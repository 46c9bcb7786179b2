"""The promises of an adapter as tests: subclass `AdapterSuite` and define a fixture `adapter`."""

from connector.testing.adapter_suite.fixtures import SuiteFixtures, Trouble
from connector.testing.adapter_suite.likenesses import Likenesses
from connector.testing.adapter_suite.others import Others
from connector.testing.adapter_suite.promises import Promises
from connector.testing.adapter_suite.secrets import Secrets
from connector.testing.adapter_suite.sizes import Sizes
from connector.testing.adapter_suite.stages import Stages
from connector.testing.adapter_suite.troubles import Troubles
from connector.testing.expiry_suite import EndsAtTheTarget
from connector.testing.folding_suite import FoldedEntries
from connector.testing.hostile_suite import HostileValues
from connector.testing.room_suite import Rooms

__all__ = ["AdapterSuite", "HarmlessSuite", "Trouble"]


class HarmlessSuite(
    Promises, Likenesses, FoldedEntries, Rooms, EndsAtTheTarget, Sizes, Stages, SuiteFixtures
):
    """The promises that a target of a user can be asked for: plain values, and no harm to it."""


class AdapterSuite(HarmlessSuite, Others, Troubles, Secrets, HostileValues):
    """The promises of an adapter, also on bad days and under attack.

    A plugin's tests are one class with an `adapter` fixture whose target has no entries of ours.
    The other fixtures may be overridden; a test that needs one which says how something is done at
    this target is skipped, with a reason, until the class defines it. What cannot happen there is
    named in `impossible`, with the reason: `{"contrary": "a set has no exceptions"}`.
    """
