// Moonrill
