# tortie_layer(<name> SOURCES <file>... [PUBLIC <target>...] [PRIVATE <target>...]): the static
# library of one folder below userspace/. PUBLIC only when a type of the library stands in one of
# the layer's headers; otherwise a forbidden include does not compile. userspace/layers.txt says
# which layers may see which.
function(tortie_layer name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;PUBLIC;PRIVATE")
  add_library(${name} STATIC ${arg_SOURCES})
  add_library(tortie::${name} ALIAS ${name})
  target_include_directories(${name} PUBLIC "${PROJECT_SOURCE_DIR}/userspace")
  target_link_libraries(${name}
    PUBLIC ${arg_PUBLIC}
    PRIVATE ${arg_PRIVATE} tortie::warnings tortie::hardened)
endfunction()
