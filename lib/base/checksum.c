/* CRC-32C three ways: the SSE4.2 instruction, the Armv8 instruction, and tables.
 *
 * Polynomials over GF(2) are held reflected, as RFC 3720 wants them: the highest bit is the
 * coefficient of x^0. The register is inverted on the way in and out, so a caller's 0 starts it at
 * all ones and results can be continued. */
#include "base/checksum.h"

#include <string.h>

/* ---- Tables: eight bytes a step (M. Kounavis, F. Berry, "slicing-by-8", 2005) ----
 *
 * slices[k][b] is byte b followed by k zero bytes, divided by the polynomial. Division is linear,
 * so the eight powers of two give every byte of a slice by exclusive or; the compiler works the
 * tables out, and nothing has to run first. */

#define BIT(b, n, value) (((b) >> (n)) & 1U ? (value) : 0U)
#define AT(b, v0, v1, v2, v3, v4, v5, v6, v7)                                                      \
    (BIT(b, 0, v0) ^ BIT(b, 1, v1) ^ BIT(b, 2, v2) ^ BIT(b, 3, v3) ^ BIT(b, 4, v4) ^               \
     BIT(b, 5, v5) ^ BIT(b, 6, v6) ^ BIT(b, 7, v7))
#define AT_4(b, ...)                                                                               \
    AT((b) + 0U, __VA_ARGS__), AT((b) + 1U, __VA_ARGS__), AT((b) + 2U, __VA_ARGS__),               \
        AT((b) + 3U, __VA_ARGS__)
#define AT_16(b, ...)                                                                              \
    AT_4((b) + 0U, __VA_ARGS__), AT_4((b) + 4U, __VA_ARGS__), AT_4((b) + 8U, __VA_ARGS__),         \
        AT_4((b) + 12U, __VA_ARGS__)
#define AT_64(b, ...)                                                                              \
    AT_16((b) + 0U, __VA_ARGS__), AT_16((b) + 16U, __VA_ARGS__), AT_16((b) + 32U, __VA_ARGS__),    \
        AT_16((b) + 48U, __VA_ARGS__)
#define SLICE(...)                                                                                 \
    {                                                                                              \
        AT_64(0U, __VA_ARGS__), AT_64(64U, __VA_ARGS__), AT_64(128U, __VA_ARGS__),                 \
            AT_64(192U, __VA_ARGS__)                                                               \
    }

static const uint32_t slices[8][256] = {
    SLICE(0xf26b8303U, 0xe13b70f7U, 0xc79a971fU, 0x8ad958cfU, 0x105ec76fU, 0x20bd8edeU, 0x417b1dbcU,
          0x82f63b78U),
    SLICE(0x13a29877U, 0x274530eeU, 0x4e8a61dcU, 0x9d14c3b8U, 0x3fc5f181U, 0x7f8be302U, 0xff17c604U,
          0xfbc3faf9U),
    SLICE(0xa541927eU, 0x4f6f520dU, 0x9edea41aU, 0x38513ec5U, 0x70a27d8aU, 0xe144fb14U, 0xc76580d9U,
          0x8b277743U),
    SLICE(0xdd45aab8U, 0xbf672381U, 0x7b2231f3U, 0xf64463e6U, 0xe964b13dU, 0xd725148bU, 0xaba65fe7U,
          0x52a0c93fU),
    SLICE(0x38116facU, 0x7022df58U, 0xe045beb0U, 0xc5670b91U, 0x8f2261d3U, 0x1ba8b557U, 0x37516aaeU,
          0x6ea2d55cU),
    SLICE(0xef306b19U, 0xdb8ca0c3U, 0xb2f53777U, 0x6006181fU, 0xc00c303eU, 0x85f4168dU, 0x0e045bebU,
          0x1c08b7d6U),
    SLICE(0x68032cc8U, 0xd0065990U, 0xa5e0c5d1U, 0x4e2dfd53U, 0x9c5bfaa6U, 0x3d5b83bdU, 0x7ab7077aU,
          0xf56e0ef4U),
    SLICE(0x493c7d27U, 0x9278fa4eU, 0x211d826dU, 0x423b04daU, 0x847609b4U, 0x0d006599U, 0x1a00cb32U,
          0x34019664U),
};

uint32_t checksum_crc32c_portable(uint32_t crc, const void *data, size_t bytes) {
    const uint8_t *at = data;
    uint32_t state = ~crc;

    for (; bytes >= 8; at += 8, bytes -= 8) {
        /* Byte by byte, so that neither alignment nor byte order matters. */
        state = slices[7][at[0] ^ (state & 0xff)] ^ slices[6][at[1] ^ ((state >> 8) & 0xff)] ^
                slices[5][at[2] ^ ((state >> 16) & 0xff)] ^ slices[4][at[3] ^ (state >> 24)] ^
                slices[3][at[4]] ^ slices[2][at[5]] ^ slices[1][at[6]] ^ slices[0][at[7]];
    }
    for (; bytes > 0; at++, bytes--) {
        state = (state >> 8) ^ slices[0][(state ^ *at) & 0xff];
    }
    return ~state;
}

#if defined(__x86_64__) || defined(__aarch64__)

typedef uint32_t checksum_function(uint32_t crc, const void *data, size_t bytes);

/* Written once, before main and before any thread, by the constructor below; whoever calls earlier
 * gets the tables. */
static checksum_function *checksum_chosen = checksum_crc32c_portable;

static uint64_t load_64(const uint8_t *at) {
    uint64_t word;

    memcpy(&word, at, sizeof word);
    return word;
}

#endif

#if defined(__x86_64__)

/* ---- x86-64 ---- */

#include <immintrin.h>

/* The instruction takes a new operand every cycle but needs three to answer, so the input runs as
 * three streams of equal length side by side. A stream's register is then moved past the bytes that
 * follow it, n of them: multiplied by x^(8n). The carry-less product of two reflected 32-bit words
 * is short of one factor x, and reducing it by the instruction adds x^32, so what to multiply by is
 * x^(8n - 33) mod P. */
#define STREAM_BYTES_MIN ((size_t)32) /* shorter ones do not pay */
#define STREAM_BYTES_MAX ((size_t)336)

/* For every multiple of eight bytes, n / 8; written with checksum_chosen. */
static uint32_t shifts[2 * STREAM_BYTES_MAX / 8 + 1];

#define TARGET_X86 __attribute__((target("sse4.2,pclmul")))

TARGET_X86 static uint64_t multiply(uint64_t a, uint32_t b) {
    __m128i product =
        _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)a), _mm_cvtsi32_si128((int)b), 0);

    return (uint64_t)_mm_cvtsi128_si64(product);
}

TARGET_X86 static uint32_t crc32c_x86(uint32_t crc, const void *data, size_t bytes) {
    const uint8_t *at = data;
    uint64_t state = ~crc;

    while (bytes >= 3 * STREAM_BYTES_MIN) {
        size_t stream_bytes = bytes / (3 * 8) * 8;
        if (stream_bytes > STREAM_BYTES_MAX) {
            stream_bytes = STREAM_BYTES_MAX;
        }
        uint64_t second = 0;
        uint64_t third = 0;
        for (size_t i = 0; i < stream_bytes; i += 8) {
            state = _mm_crc32_u64(state, load_64(at + i));
            second = _mm_crc32_u64(second, load_64(at + stream_bytes + i));
            third = _mm_crc32_u64(third, load_64(at + 2 * stream_bytes + i));
        }
        uint64_t moved = multiply(state, shifts[2 * stream_bytes / 8]) ^
                         multiply(second, shifts[stream_bytes / 8]);
        state = _mm_crc32_u64(0, moved) ^ third;
        at += 3 * stream_bytes;
        bytes -= 3 * stream_bytes;
    }
    for (; bytes >= 8; at += 8, bytes -= 8) {
        state = _mm_crc32_u64(state, load_64(at));
    }
    uint32_t rest = (uint32_t)state;
    for (; bytes > 0; at++, bytes--) {
        rest = _mm_crc32_u8(rest, *at);
    }
    return ~rest;
}

/* x^(64 - 33) is the lowest bit, and each step is eight bytes of zeros further. */
TARGET_X86 static void fill_shifts(void) {
    shifts[1] = 1;
    for (size_t i = 2; i < sizeof shifts / sizeof *shifts; i++) {
        shifts[i] = (uint32_t)_mm_crc32_u64(shifts[i - 1], 0);
    }
}

__attribute__((constructor)) static void checksum_choose(void) {
    __builtin_cpu_init();
    if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul")) {
        fill_shifts();
        checksum_chosen = crc32c_x86;
    }
}

#elif defined(__aarch64__)

/* ---- Armv8 ---- */

#include <arm_acle.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>

__attribute__((target("+crc"))) static uint32_t crc32c_arm(uint32_t crc, const void *data,
                                                           size_t bytes) {
    const uint8_t *at = data;
    uint32_t state = ~crc;

    for (; bytes >= 8; at += 8, bytes -= 8) {
        state = __crc32cd(state, load_64(at));
    }
    for (; bytes > 0; at++, bytes--) {
        state = __crc32cb(state, *at);
    }
    return ~state;
}

__attribute__((constructor)) static void checksum_choose(void) {
    if (getauxval(AT_HWCAP) & HWCAP_CRC32) {
        checksum_chosen = crc32c_arm;
    }
}

#endif

uint32_t checksum_crc32c(uint32_t crc, const void *data, size_t bytes) {
#if defined(__x86_64__) || defined(__aarch64__)
    return checksum_chosen(crc, data, bytes);
#else
    return checksum_crc32c_portable(crc, data, bytes);
#endif
}
