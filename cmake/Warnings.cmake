# tortie::warnings: what every target of ours is compiled with. Third-party headers are SYSTEM
# and stay quiet. CI sets TORTIE_WERROR.
option(TORTIE_WERROR "treat warnings as errors" OFF)

add_library(tortie_warnings INTERFACE)
add_library(tortie::warnings ALIAS tortie_warnings)
target_compile_options(tortie_warnings INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor -Wold-style-cast
  -Wcast-qual -Wformat=2 -Wimplicit-fallthrough
  $<$<BOOL:${TORTIE_WERROR}>:-Werror>)
