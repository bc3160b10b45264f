// libcurl's own header, and typed inline functions for its variadic calls, which Swift cannot import.
#include <curl/curl.h>
