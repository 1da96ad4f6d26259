# CMake's own Android platform insists on an NDK, and the cmake crate leaves the compiler to a toolchain file: this one
# names that of check-android.sh. Nothing is linked for Android here, so CMake tries the compiler on a library.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_C_COMPILER "$ENV{CC_aarch64_linux_android}")
set(CMAKE_CXX_COMPILER "$ENV{CXX_aarch64_linux_android}")
