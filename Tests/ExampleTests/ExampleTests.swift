// Tests of Example.

import Testing
