// MoonrillMock
