package sandbox

// DenyAll is for the test of Landlock alone: behind the filter nobody can try
// what it forbids.
var DenyAll = denyAll
