// Tests of Command.

import Testing
