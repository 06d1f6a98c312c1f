# The seeds of every fuzzer, in every build: ctest 'fuzz.THING'.
file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/*_fuzz.c)
foreach(source ${sources})
    get_filename_component(thing ${source} NAME_WE)
    string(REGEX REPLACE "_fuzz$" "" thing ${thing})
    set(program fuzz.${thing})
    add_executable(${program} ${source} ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/replay.c)
    target_include_directories(${program} PRIVATE ${CMAKE_SOURCE_DIR})
    target_compile_definitions(${program} PRIVATE SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    target_link_libraries(${program} PRIVATE lab)
    add_test(NAME ${program}
        COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/replay.sh $<TARGET_FILE:${program}> ${thing})
    set_tests_properties(${program} PROPERTIES LABELS seeds TIMEOUT 120)
endforeach()
