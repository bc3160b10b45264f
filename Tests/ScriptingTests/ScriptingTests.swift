// Tests of Scripting.

import Testing
