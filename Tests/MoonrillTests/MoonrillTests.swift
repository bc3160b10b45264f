// Tests of Moonrill.

import Testing
