# The transforms for any machine.

include "winograd.pxi"
