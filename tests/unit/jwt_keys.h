/*
 * A private key that signs nothing but tests, the same as tests/corpus/vonage/private_key.pem; keys that must
 * be refused, and a token that Python's cryptography signed with the first.
 */
#ifndef IVR_TESTS_JWT_KEYS_H
#define IVR_TESTS_JWT_KEYS_H

#define RSA_PEM                                                                                              \
    "-----BEGIN PRIVATE KEY-----\n"                                                                          \
    "MIIEuwIBADANBgkqhkiG9w0BAQEFAASCBKUwggShAgEAAoIBAQC6eACq1w7h95Jc\n"                                     \
    "fiIV+NxrJrGtZ40wkt1EGq3hY6qVsu/6eyKuDzpcFD/2BNoELIkYrqHQq9sLxoNa\n"                                     \
    "bEWtd7z/T1ffbe8Wn9eDWJ5iK/3qe4LYp6lFCJtNFITyeUSON/IKbfk00pWuyJgs\n"                                     \
    "4F16CcbXzG4RVyZ8TlZDbg+mU85mZFGs0DakrI+r6Aacm2TsV1jhHVO6k6T3azqf\n"                                     \
    "a1VM1L8SsqWHN2T/qtn29yB+gIOyZ1OvOzppS8Q9s+uYMfW6DJNdqc413xRtsdQs\n"                                     \
    "oAtUApq0XspnT7s1UsV3WmDZxU8PWotDQNUE5I777zn9qd59FwUDmu0UvX1dmSZF\n"                                     \
    "S4Z4aeUnAgMBAAECgf8DRG7NMHPXyux1J3eAD6G+eWtwY+PE/W63N88V/1/vMPGk\n"                                     \
    "cfGepiIAkPsu2At9kjRCfEk0/79Ei38SLHu7nQW6FG9RKndlGfowaO9k15sByfUL\n"                                     \
    "9BADO5hnGSDU1bGJtniOkafiJ853oKXII4ViiBnH919VchuK/B2OJtvk07Bccq5Y\n"                                     \
    "q63xBe/efnkGKd49paurCs5BHHEYrV+bplfe99D1890UVFf1T4VJ1RMB3XTqP2VA\n"                                     \
    "7mljBLcU6dJY0fgRMP9Csr72n0d2TMMSeYqZ2Lr30FSvxGXgVI8mASeKQdtiRta/\n"                                     \
    "5ktjx6nJdt1QGxxB2CHYtDXp3O57UlyFyHxsMUkCgYEA5RjTXw5YgFJMiijOW9Hp\n"                                     \
    "/D0BQ5lYEQkWAOwprnfL75ZgbFhPnVsb16ks91ljSihg64JrjswZcXW/IFgovwR3\n"                                     \
    "3Z2jYi2PX6er+KSiqXCtU7YXhxhWYQuiq8hapVb6zvJGz56RIvfxouANffZylrXK\n"                                     \
    "M6Rq6UioR8gzPVFESmIitrMCgYEA0F2tGb/BuI2lU3hAb5Sp28TOeX+p3OEEme5C\n"                                     \
    "zZjf9cq8c7Ad6CPpFEuU2j9n1zXNjMpC+aonnPc+yxGfIWs0GYMlCFA+msP1znP0\n"                                     \
    "dGTVHwZbtj33ydJ4RHmhzvrJCf6eqdXa1bcsOqJ2cLDao5DRf44Kg518n3ajCkv7\n"                                     \
    "VDdMcb0CgYEAtL6eXJtb1XmYq1PAYw681OVobuW3ZlFNy9KGnAAlpFN2pWQTA+mS\n"                                     \
    "kNYHBOq//AzZUlUl+JYr6Kjl7mW/V9z1mKG6+kVJnUUS12tEbfvYs3exHkNkOtJM\n"                                     \
    "N80tPs7dt5HLrhfDF9yYBlFQM7XQ9/ham922/2/0XBWl31WTVEASdSMCgYAE4VzP\n"                                     \
    "kJU5/F9V8CgaNPIxio+Hev0Ahmi0Lkd0R1Nfj2sQjpx0tnqcFhUbc4a8HK9+z7H3\n"                                     \
    "5QteetAGs5f1kWw7+L1iT3bX6yUTu9WK8F2ph12YjCUEniBhAjRPA8K3sDYJJlAk\n"                                     \
    "11B64xlBFHNah2bQxQPsB0FG/uFcuWDenRj2RQKBgBLDNZZ9H9dg29nIXuhLVM8b\n"                                     \
    "URcxW9nBN3fJRz1LYCkDkUU4Jwp8yvbAaQaSitatcnexuj5EQVfBQx6WJChxWeOc\n"                                     \
    "CyflCbseXowHUQScSC0xTVy/ZSBSdUGXMdlyc3eteuaUs7nYKVyz7PG89fk62598\n"                                     \
    "0EWrfVvOaHRmJXd8SDtk\n"                                                                                 \
    "-----END PRIVATE KEY-----\n"

#define EC_PEM                                                                                               \
    "-----BEGIN PRIVATE KEY-----\n"                                                                          \
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg+awzSYf9VtECGznZ\n"                                     \
    "FYQpTz8mq+vgt9oxDzMv+SEdTC2hRANCAASZtx95JpwSigQswtLkAWTD9pev1Mz7\n"                                     \
    "9Z1krgadMxPlS+bZ8PHvgiSOHNLgCpVZG04IgObQeK36IYJUAxWZCRFN\n"                                             \
    "-----END PRIVATE KEY-----\n"

#define SMALL_PEM                                                                                            \
    "-----BEGIN PRIVATE KEY-----\n"                                                                          \
    "MIIBVQIBADANBgkqhkiG9w0BAQEFAASCAT8wggE7AgEAAkEA1xeoW3CCW4KK9P/+\n"                                     \
    "ljUQZbo/B/4NxPz9scLqwyKEb8pRoYzMJECwyNgeLW1OOtVYSNQBeQzAhiE6JGvN\n"                                     \
    "CYK/twIDAQABAkB0A/GuKHhXjYkP7whN0p9ej1+yGukoaGEaQY1I5VRTyuqpEP/r\n"                                     \
    "vVzX9JTQn4BV3OLOnHG+mGkwh/ZovY4HLz8hAiEA7I9pyqCo3EyfeEDOaDC7eYfr\n"                                     \
    "3hX2ecbxAufpW2ayA3ECIQDoxJ68n0F4qSQJ80f3DkGjhFx6wyqdGC9gSV1O56gR\n"                                     \
    "pwIhAMD4mE8P0c+rvaamDvpVTolsBE+tUNu0GqTJM8Y4ttwxAiAqZY3IK3XAZYZz\n"                                     \
    "7YUBIe6guv4hOiUr4fjXH+XH9nftZwIhAOVYOKn/qabBuhMVbTiffuPqjqZ2LsEV\n"                                     \
    "O4ssawbQfMn9\n"                                                                                         \
    "-----END PRIVATE KEY-----\n"

#define RS256_CLAIMS                                                                                         \
    "{\"application_id\":\"aaaaaaaa-bbbb-cccc-dddd-0123456789ab\",\"iat\":1587494962,\"exp\":1587495862,"    \
    "\"jti\":\"c5ba8f24-1a14-4c10-bfdf-3fbe8ce511b5\"}"

#define RS256_TOKEN                                                                                          \
    "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJhcHBsaWNhdGlvbl9pZCI6ImFhYWFhYWFhLWJiYmItY2NjYy1kZGRkLTA"       \
    "xMjM0NTY3ODlhYiIsImlhdCI6MTU4NzQ5NDk2MiwiZXhwIjoxNTg3NDk1ODYyLCJqdGkiOiJjNWJhOGYyNC0xYTE0LTRjMTA"       \
    "tYmZkZi0zZmJlOGNlNTExYjUifQ.opppW7_DhHeTc99oewS_bFQ_ztHbC2CY4dwfJzFmmnK66i-d6Yf-hDbg8WyTBeHRIU1U"       \
    "U-ODYXkXbfAwNtEHEVmVUqgOYaChscSfSTSSyoV8JRg8uQz8wgMjn34FEImO9JjOGWcubvlOV5Iiqh13474RgWzNpbtPWsS5"       \
    "ZbFO6Hgx5iGeM14_1DGDYi1yVdcaVBtS4Gei4wj02SLtZn3zaLIUylB73rqNkCexxYVh0qwBSjLjFF2KMFKKoQRRMpPi9LHE"       \
    "MBj_wENUz25k-EuSHHLRP7mAyAME8YxSh9Y3bREcjjGxJZJtVKvtNk5W9sVfydJx-Xwkvycy6Od8_ltnZQ"

#endif
