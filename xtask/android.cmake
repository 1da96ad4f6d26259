# CMake's own Android platform insists on an NDK. This one takes the compiler that check-android.sh names.
set(CMAKE_SYSTEM_NAME Generic)
