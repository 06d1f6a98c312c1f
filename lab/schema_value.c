/* Typed values, and what is said about those that are wrong. */
#include "lab/schema_value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lab/suggest.h"
#include "lab/topology.h"
#include "sim/core/attributes.h"

/* Words that YAML 1.1 takes for truth values or nothing, and half of its readers do not. */
static const struct {
    const char *word;
    const char *meant;
} guessed[] = {{"on", "true"}, {"off", "false"}, {"yes", "true"},  {"no", "false"},
               {"y", "true"},  {"n", "false"},   {"true", "true"}, {"false", "false"},
               {"null", NULL}, {"all", NULL},    {"each", NULL},   {"end", NULL}};

/* In small letters; what is too long is no such word. */
static const char *guessed_meaning(const char *text, bool *ret_is_guessed)
{
    char small[8] = "";

    *ret_is_guessed = false;
    if (strlen(text) >= sizeof(small))
        return NULL;
    for (size_t i = 0; text[i]; i++)
        small[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] - 'A' + 'a' : text[i]);
    for (size_t i = 0; i < ARRAY_SIZE(guessed); i++) {
        if (strcmp(small, guessed[i].word) != 0)
            continue;
        *ret_is_guessed = true;
        return guessed[i].meant;
    }
    return NULL;
}

const char *word_of(const struct word *words, int value)
{
    for (; words->word; words++)
        if (words->value == value)
            return words->word;
    return NULL;
}

/* ---- Names ---- */

static bool is_name_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

bool schema_check_name(const struct node *name, const char *what, struct errors *errors)
{
    const char *text = name->text;
    size_t bytes = strlen(text);
    bool is_guessed;

    if (name->is_bad)
        return false;
    guessed_meaning(text, &is_guessed);
    if (is_guessed) {
        error_help(node_error(errors, name, "'%s' cannot be the name of a %s", text, what),
                   "'all', 'each', 'end' and words for truth values are reserved");
        return false;
    }
    for (size_t i = 0; i < bytes; i++) {
        if (is_name_letter(text[i]) && (i > 0 || (text[i] >= 'a' && text[i] <= 'z')))
            continue;
        error_help(
            node_part_error(errors, name, i, 1, "'%.60s' cannot be the name of a %s", text, what),
            "begin with a letter, go on with lower case letters, digits and dashes: "
            "'switch-1'");
        return false;
    }
    if (bytes == 0 || bytes >= NAME_BYTES - 6) { /* room for "-0001" of a count */
        error_help(node_error(errors, name, "the name of a %s must have 1 to %d characters", what,
                              NAME_BYTES - 7),
                   "shorten it; 'about' has room for more");
        return false;
    }
    return true;
}

static void list_known(struct name_list known, char *text, size_t text_bytes)
{
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < known.count; i++) {
        size_t needed = strlen(known.names[i]) + 2;
        if (used + needed + 6 > text_bytes) {
            snprintf(text + used, text_bytes - used, ", ...");
            return;
        }
        used += (size_t)snprintf(text + used, text_bytes - used, "%s%s", i > 0 ? ", " : "",
                                 known.names[i]);
    }
}

void schema_help_known(struct error *error, const char *wrong, struct name_list known,
                       const char *what)
{
    struct suggestion suggestion;
    char list[160];

    suggest_init(&suggestion, wrong);
    for (size_t i = 0; i < known.count; i++)
        suggest_offer(&suggestion, known.names[i]);
    if (suggestion.best) {
        error_help(error, "did you mean '%s'?", suggestion.best);
        return;
    }
    list_known(known, list, sizeof(list));
    if (known.count > 0)
        error_help(error, "known here: %s", list);
    else
        error_help(error, "there is no %s here at all", what);
}

void schema_unknown(const struct node *node, const char *what, const char *name,
                    struct name_list known, struct errors *errors)
{
    bool is_shown = errors_has_room(errors);
    struct error *error = node_error(errors, node, "unknown %s '%.80s'", what, name);

    if (is_shown)
        schema_help_known(error, name, known, what);
}

/* ---- Kinds ---- */

bool schema_need_kind(const struct node *node, enum node_kind kind, const char *whose,
                      struct errors *errors)
{
    static const char *const examples[] = {
        [NODE_VALUE] = "write one value after the colon",
        [NODE_MAP] = "write 'key: value' lines under it, or '{key: value, ...}'",
        [NODE_LIST] = "begin each item with '- ', or write '[a, b]'",
    };

    if (node->is_bad)
        return false;
    if (node->kind == kind)
        return true;
    if (node->kind == NODE_VALUE && !node->is_quoted && node->text[0] == '\0')
        error_help(node_key_error(errors, node, "'%s' has no value", whose), "%s",
                   kind == NODE_VALUE ? "write one after the colon, or leave the key out"
                                      : examples[kind]);
    else
        error_help(node_error(errors, node, "'%s' must be %s, not %s", whose, node_kind_word(kind),
                              node_kind_word(node->kind)),
                   "%s", examples[kind]);
    return false;
}

bool schema_has_value(const struct node *node, const char *key, struct errors *errors)
{
    if (!schema_need_kind(node, NODE_VALUE, key, errors))
        return false;
    if (node->text[0] != '\0')
        return true;
    error_help(node_key_error(errors, node, "'%s' has no value", key),
               "write one after the colon, or leave the key out");
    return false;
}

/* ---- Values ---- */

static void refuse_range(const struct node *node, const char *key, const char *least,
                         const char *most, struct errors *errors)
{
    error_help(
        node_error(errors, node, "'%s' must be %s to %s, not %.40s", key, least, most, node->text),
        "choose a value in that range");
}

bool schema_read_quantity(const struct node *node, const char *key, enum quantity quantity,
                          int64_t least, int64_t most, int64_t *ret_value, struct errors *errors)
{
    int64_t value = 0;
    char text[2][48];
    struct error *error;

    if (!schema_has_value(node, key, errors))
        return false;
    switch (quantity_parse(node->text, quantity, &value)) {
    case QUANTITY_FINE:
        break;
    case QUANTITY_NO_UNIT:
        error = node_error(errors, node, "'%s' needs a unit", key);
        quantity_suggest(quantity, node->text, error->help, sizeof(error->help));
        return false;
    case QUANTITY_NO_NUMBER:
        error_help(node_error(errors, node, "'%s' must be a %s, not '%.60s'", key,
                              quantity_word(quantity), node->text),
                   "write a number and a unit, like '%s'", quantity_example(quantity));
        return false;
    case QUANTITY_UNKNOWN_UNIT: {
        char units[96] = "";
        size_t used = 0;

        for (size_t i = 0; quantity_unit(quantity, i); i++)
            used += (size_t)snprintf(units + used, sizeof(units) - used, "%s'%s'",
                                     i > 0 ? ", " : "", quantity_unit(quantity, i));
        error_help(node_error(errors, node, "'%s' has a unit that is none of a %s: '%.60s'", key,
                              quantity_word(quantity), node->text),
                   "use %s", units);
        return false;
    }
    case QUANTITY_TOO_LARGE:
        error_help(node_error(errors, node, "'%s' is too large", key), "it must fit 63 bits of %s",
                   quantity_base(quantity));
        return false;
    case QUANTITY_TOO_FINE:
        error_help(node_error(errors, node, "'%s' must be a whole number of %s", key,
                              quantity_base(quantity)),
                   "use fewer decimals");
        return false;
    }
    if (value >= least && value <= most)
        return ret_value[0] = value, true;

    quantity_print(quantity, least, text[0], sizeof(text[0]));
    quantity_print(quantity, most, text[1], sizeof(text[1]));
    refuse_range(node, key, text[0], text[1], errors);
    return false;
}

bool schema_read_count(const struct node *node, const char *key, unsigned decimals, int64_t least,
                       int64_t most, int64_t *ret_value, struct errors *errors)
{
    int64_t value = 0;
    char text[2][32];

    if (!schema_has_value(node, key, errors))
        return false;
    switch (quantity_parse_number(node->text, decimals, &value)) {
    case QUANTITY_FINE:
        break;
    case QUANTITY_TOO_FINE:
        error_help(node_error(errors, node, "'%s' has too many decimals", key), "%s",
                   decimals == 0 ? "write a whole number" : "write fewer");
        return false;
    case QUANTITY_TOO_LARGE:
        value = INT64_MAX;
        break;
    case QUANTITY_NO_NUMBER:
    case QUANTITY_NO_UNIT:
    case QUANTITY_UNKNOWN_UNIT:
        error_help(
            node_error(errors, node, "'%s' must be a plain number, not '%.60s'", key, node->text),
            "write digits only: this value has no unit");
        return false;
    }
    if (value >= least && value <= most)
        return ret_value[0] = value, true;

    int64_t one = 1;
    for (unsigned i = 0; i < decimals; i++)
        one *= 10;
    snprintf(text[0], sizeof(text[0]), "%" PRId64, least / one);
    snprintf(text[1], sizeof(text[1]), "%" PRId64, most / one);
    refuse_range(node, key, text[0], text[1], errors);
    return false;
}

bool schema_read_word(const struct node *node, const char *key, const struct word *words,
                      int *ret_value, struct errors *errors)
{
    const char *known[40];
    size_t count = 0;

    if (!schema_has_value(node, key, errors))
        return false;
    for (const struct word *word = words; word->word; word++) {
        if (strcmp(word->word, node->text) == 0) {
            *ret_value = word->value;
            return true;
        }
        if (count < ARRAY_SIZE(known))
            known[count++] = word->word;
    }
    schema_unknown(node, key, node->text, (struct name_list){known, count}, errors);
    return false;
}

bool schema_read_bool(const struct node *node, const char *key, int64_t *ret_value,
                      struct errors *errors)
{
    bool is_guessed;

    if (!schema_has_value(node, key, errors))
        return false;
    if (strcmp(node->text, "true") == 0 || strcmp(node->text, "false") == 0) {
        *ret_value = node->text[0] == 't';
        return true;
    }

    const char *meant = guessed_meaning(node->text, &is_guessed);
    error_help(node_error(errors, node, "'%s' must be true or false, not '%.60s'", key, node->text),
               "write '%s'", meant ? meant : "true' or 'false");
    return false;
}

/* One decimal octet; NULL: it is none. */
static const char *read_octet(const char *text, unsigned most, uint32_t *ret)
{
    uint32_t value = 0;
    const char *p = text;

    for (; *p >= '0' && *p <= '9' && p - text < 4; p++)
        value = value * 10 + (uint32_t)(*p - '0');
    if (p == text || value > most || (p - text > 1 && text[0] == '0'))
        return NULL;
    *ret = value;
    return p;
}

static bool parse_cidr(const char *text, struct cidr *ret)
{
    *ret = (struct cidr){.address = 0};
    for (int i = 0; i < 4; i++) {
        uint32_t octet;

        text = read_octet(text, 255, &octet);
        if (!text || *text++ != (i < 3 ? '.' : '/'))
            return false;
        ret->address = ret->address << 8 | octet;
    }
    text = read_octet(text, 32, &ret->prefix_bits);
    return text && *text == '\0';
}

bool schema_read_address(const struct node *node, const char *key, struct cidr *ret,
                         struct errors *errors)
{
    struct cidr cidr;

    if (!schema_has_value(node, key, errors))
        return false;
    if (!parse_cidr(node->text, &cidr)) {
        struct error *error =
            node_error(errors, node, "'%s' is no IPv4 address: '%.60s'", key, node->text);
        char with_prefix[80];

        snprintf(with_prefix, sizeof(with_prefix), "%.60s/24", node->text);
        if (parse_cidr(with_prefix, &cidr))
            error_help(error, "say how long the subnet's prefix is: '%s'", with_prefix);
        else
            error_help(error, "write it with the length of its subnet's prefix: '172.16.0.53/24'");
        return false;
    }
    if (cidr.prefix_bits < 8 || cidr.prefix_bits > 30) {
        error_help(node_error(errors, node, "the prefix of '%s' must have 8 to 30 bits", key),
                   "a subnet of 254 NICs is '/24'");
        return false;
    }

    uint32_t host_mask = UINT32_MAX >> cidr.prefix_bits;
    uint32_t host = cidr.address & host_mask;
    uint32_t first = cidr.address >> 24;
    if (host == 0 || host == host_mask || first == 0 || first == 127 || first >= 224) {
        error_help(node_error(errors, node, "'%.60s' cannot be the address of a NIC", node->text),
                   host == 0           ? "it is the network's own; the first host is one more"
                   : host == host_mask ? "it is the subnet's broadcast; the last host is one less"
                                       : "take one of a private network: 10.0.0.0/8, "
                                         "172.16.0.0/12 or 192.168.0.0/16");
        return false;
    }
    *ret = cidr;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool schema_read_mac(const struct node *node, const char *key, struct mac_addr *ret,
                     struct errors *errors)
{
    struct mac_addr mac;
    const char *text = node->text;

    if (!schema_has_value(node, key, errors))
        return false;

    bool is_good = strlen(text) == 17;
    for (size_t i = 0; is_good && i < MAC_BYTES; i++) {
        int high = hex_digit(text[3 * i]), low = hex_digit(text[3 * i + 1]);

        is_good = high >= 0 && low >= 0 && (i == 5 || text[3 * i + 2] == ':');
        mac.octet[i] = (uint8_t)(high * 16 + low);
    }
    if (!is_good) {
        error_help(node_error(errors, node, "'%s' is no MAC address: '%.60s'", key, text),
                   "write six pairs of small hexadecimal digits: '02:00:00:00:00:01'");
        return false;
    }
    if (mac_is_group(mac)) {
        error_help(node_error(errors, node, "'%.60s' is an address of a group", text),
                   "the first pair of a NIC's own address is even: '02:...'");
        return false;
    }
    *ret = mac;
    return true;
}

bool schema_read_iqn(const struct node *node, const char *key, char *ret, struct errors *errors)
{
    const char *text = node->text;

    if (!schema_has_value(node, key, errors))
        return false;

    bool is_good = strlen(text) < IQN_BYTES &&
                   (strncmp(text, "iqn.", 4) == 0 || strncmp(text, "eui.", 4) == 0 ||
                    strncmp(text, "naa.", 4) == 0) &&
                   text[4] != '\0';
    for (const char *p = text; *p; p++)
        is_good = is_good && (is_name_letter(*p) || *p == '.' || *p == ':');
    if (!is_good) {
        error_help(node_error(errors, node, "'%s' is no iSCSI name: '%.60s'", key, text),
                   "write one like 'iqn.2026-01.com.example:san1', in lower case, at most 223 "
                   "characters");
        return false;
    }
    memcpy(ret, text, strlen(text) + 1);
    return true;
}
