/* The compiled part of the pickle machine: opcodes that only push, move, memoise or gather values.
 *
 * It works on the lists of redan.kernels.artifacts.machine.machine.Machine itself and knows nothing of verdicts. An
 * opcode that imports, calls, writes or reads text, and every opcode that would fail (too short an argument, too
 * small a stack, bytes that are no UTF-8), is handed back before anything is touched: the Python handler of that
 * opcode then does what it always does. So both cores have one meaning, and this one has no error messages.
 *
 * Stable ABI of CPython 3.11 and later; no other library.
 */
#define PY_SSIZE_T_CLEAN
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030B0000
#endif
#include <Python.h>
#include <stdint.h>

enum { HAND_BACK = -1, FAILED = -2 };

/* What the Python half tells once; see `bind`. */
typedef struct {
    PyObject *imported_type, *result_type, *number, *text, *set, *buffer;
    Py_ssize_t longest_list, most_retained, longest_kept, object_bytes, largest_gap;
    PyObject *name_stack, *name_push, *name_append, *name_judge, *name_telling_key, *name_text, *name_retained;
    PyObject *name_graph_full, *name_grade, *constructor, *function, *class_;
} Kit;

/* One call of `walk`: borrowed references except `stack`. */
typedef struct {
    const Kit *kit;
    PyObject *machine, *memo, *below, *sparse;
    PyObject *stack;
    const unsigned char *data;
    Py_ssize_t size, n_text_bytes, n_retained;
    int is_graph_full;
} Walk;

static uint64_t
unsigned_at(const Walk *w, Py_ssize_t pos, int n_bytes)
{
    uint64_t value = 0;
    for (int i = n_bytes - 1; i >= 0; i--) {
        value = value << 8 | w->data[pos + i];
    }
    return value;
}

/* Whether `n_bytes` bytes lie at `pos`; written so that nothing can overflow. */
static int
has(const Walk *w, Py_ssize_t pos, uint64_t n_bytes)
{
    return pos <= w->size && n_bytes <= (uint64_t)(w->size - pos);
}

static Py_ssize_t
push_new(const Walk *w, PyObject *value, Py_ssize_t next)
{
    if (value == NULL) {
        return FAILED;
    }
    int failed = PyList_Append(w->stack, value);
    Py_DECREF(value);
    return failed ? FAILED : next;
}

static Py_ssize_t
push(const Walk *w, PyObject *value, Py_ssize_t next)
{
    return PyList_Append(w->stack, value) ? FAILED : next;
}

static int
drop(PyObject *list, Py_ssize_t n)
{
    Py_ssize_t size = PyList_Size(list);
    return PyList_SetSlice(list, size - n, size, NULL);
}

/* A borrowed reference to the value `depth` below the top; the caller has checked the size. */
static PyObject *
peek(const Walk *w, Py_ssize_t depth)
{
    return PyList_GetItem(w->stack, PyList_Size(w->stack) - 1 - depth);
}

/* ---- literals ---- */

static Py_ssize_t
integer(const Walk *w, Py_ssize_t pos, int n_bytes)
{
    if (!has(w, pos, n_bytes)) {
        return HAND_BACK;
    }
    uint64_t value = unsigned_at(w, pos, n_bytes);
    return push_new(w, PyLong_FromLong(n_bytes == 4 ? (long)(int32_t)value : (long)value), pos + n_bytes);
}

static Py_ssize_t
short_long(Walk *w, Py_ssize_t pos)
{
    if (!has(w, pos, 1) || w->data[pos] > 8 || !has(w, pos + 1, w->data[pos])) {
        return HAND_BACK;
    }
    int n_bytes = w->data[pos];
    uint64_t value = unsigned_at(w, pos + 1, n_bytes);
    if (n_bytes > 0 && n_bytes < 8 && value >> (8 * n_bytes - 1)) {
        value |= ~(uint64_t)0 << (8 * n_bytes);
    }
    w->n_text_bytes += w->kit->object_bytes + n_bytes;
    return push_new(w, PyLong_FromLongLong((long long)value), pos + 1 + n_bytes);
}

typedef enum { UTF8, LATIN1, BYTES } Kind;

static PyObject *
decoded(const Walk *w, Py_ssize_t start, Py_ssize_t n_bytes, Kind kind)
{
    const char *content = (const char *)w->data + start;
    if (kind == UTF8) {
        return PyUnicode_DecodeUTF8(content, n_bytes, "surrogatepass");
    }
    return kind == LATIN1 ? PyUnicode_DecodeLatin1(content, n_bytes, NULL) : PyBytes_FromStringAndSize(content, n_bytes);
}

static Py_ssize_t
literal(Walk *w, Py_ssize_t pos, int n_prefix, Kind kind)
{
    if (!has(w, pos, n_prefix)) {
        return HAND_BACK;
    }
    uint64_t length = unsigned_at(w, pos, n_prefix);
    Py_ssize_t start = pos + n_prefix;
    if (!has(w, start, length) || (kind == LATIN1 && length > INT32_MAX)) {
        return HAND_BACK;
    }
    Py_ssize_t n_bytes = (Py_ssize_t)length;
    if (n_bytes > w->kit->longest_kept) {
        if (kind == BYTES) {
            return HAND_BACK;
        }
        w->n_text_bytes += w->kit->object_bytes;
        return push(w, w->kit->text, start + n_bytes);
    }
    PyObject *value = decoded(w, start, n_bytes, kind);
    if (value == NULL && PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) {
        PyErr_Clear();
        return HAND_BACK;
    }
    w->n_text_bytes += w->kit->object_bytes + n_bytes;
    return push_new(w, value, start + n_bytes);
}

/* ---- memo ---- */

static Py_ssize_t
put(const Walk *w, Py_ssize_t index, Py_ssize_t next)
{
    if (PyList_Size(w->stack) == 0) {
        return HAND_BACK;
    }
    PyObject *top = peek(w, 0);
    Py_ssize_t n = PyList_Size(w->memo);
    if (index == n && PyDict_Size(w->sparse) == 0) {
        return PyList_Append(w->memo, top) ? FAILED : next;
    }
    if (index < n) {
        Py_INCREF(top);
        return PyList_SetItem(w->memo, index, top) ? FAILED : next;
    }
    PyObject *key = PyLong_FromSsize_t(index);
    int failed = key == NULL || PyDict_SetItem(w->sparse, key, top);
    Py_XDECREF(key);
    return failed ? FAILED : next;
}

static Py_ssize_t
memoize(const Walk *w, Py_ssize_t next)
{
    return put(w, PyList_Size(w->memo) + PyDict_Size(w->sparse), next);
}

static Py_ssize_t
put_at(const Walk *w, Py_ssize_t pos, int n_bytes)
{
    if (!has(w, pos, n_bytes)) {
        return HAND_BACK;
    }
    Py_ssize_t index = (Py_ssize_t)unsigned_at(w, pos, n_bytes);
    if (index > w->kit->largest_gap + 2 * PyList_Size(w->memo)) {
        return HAND_BACK;
    }
    return put(w, index, pos + n_bytes);
}

static Py_ssize_t
get_at(const Walk *w, Py_ssize_t pos, int n_bytes)
{
    if (!has(w, pos, n_bytes)) {
        return HAND_BACK;
    }
    Py_ssize_t index = (Py_ssize_t)unsigned_at(w, pos, n_bytes);
    if (index < PyList_Size(w->memo)) {
        return push(w, PyList_GetItem(w->memo, index), pos + n_bytes);
    }
    PyObject *key = PyLong_FromSsize_t(index);
    if (key == NULL) {
        return FAILED;
    }
    PyObject *value = PyDict_GetItemWithError(w->sparse, key);
    Py_DECREF(key);
    if (value == NULL) {
        return PyErr_Occurred() ? FAILED : HAND_BACK;
    }
    return push(w, value, pos + n_bytes);
}

/* ---- marks ---- */

static Py_ssize_t
mark(Walk *w, Py_ssize_t next)
{
    PyObject *above = PyList_New(0);
    if (above == NULL || PyList_Append(w->below, w->stack)) {
        Py_XDECREF(above);
        return FAILED;
    }
    Py_DECREF(w->stack);
    w->stack = above;
    return next;
}

/* The values above the innermost mark, a new reference, or NULL where there is no mark; `*next` then says which. */
static PyObject *
pop_mark(Walk *w, Py_ssize_t *next)
{
    Py_ssize_t n = PyList_Size(w->below);
    if (n == 0) {
        *next = HAND_BACK;
        return NULL;
    }
    PyObject *under = PyList_GetItem(w->below, n - 1);
    Py_INCREF(under);
    if (drop(w->below, 1)) {
        Py_DECREF(under);
        *next = FAILED;
        return NULL;
    }
    PyObject *items = w->stack;
    w->stack = under;
    return items;
}

/* Opcodes that need a value under their mark fail without one, which is the Python handler's to say. */
static int
stands_under_mark(const Walk *w)
{
    Py_ssize_t n = PyList_Size(w->below);
    return n > 0 && PyList_Size(PyList_GetItem(w->below, n - 1)) > 0;
}

static Py_ssize_t
pop(Walk *w, Py_ssize_t next)
{
    if (PyList_Size(w->stack) > 0) {
        return drop(w->stack, 1) ? FAILED : next;
    }
    PyObject *items = pop_mark(w, &next);
    Py_XDECREF(items);
    return next;
}

static Py_ssize_t
drop_to_mark(Walk *w, PyObject *instead, Py_ssize_t next)
{
    PyObject *items = pop_mark(w, &next);
    if (items == NULL) {
        return next;
    }
    Py_DECREF(items);
    return instead == NULL ? next : push(w, instead, next);
}

/* ---- tuples and lists ---- */

static Py_ssize_t
tuple_of(Walk *w, Py_ssize_t n, Py_ssize_t next)
{
    Py_ssize_t size = PyList_Size(w->stack);
    if (size < n) {
        return HAND_BACK;
    }
    PyObject *tuple = PyTuple_New(n);
    if (tuple == NULL) {
        return FAILED;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *item = PyList_GetItem(w->stack, size - n + i);
        Py_INCREF(item);
        PyTuple_SetItem(tuple, i, item);
    }
    w->n_retained += n;
    if (PyList_SetItem(w->stack, size - n, tuple)) {
        return FAILED;
    }
    return n > 1 && drop(w->stack, n - 1) ? FAILED : next;
}

static Py_ssize_t
tuple_to_mark(Walk *w, Py_ssize_t next)
{
    PyObject *items = pop_mark(w, &next);
    if (items == NULL) {
        return next;
    }
    w->n_retained += PyList_Size(items);
    PyObject *tuple = PyList_AsTuple(items);
    Py_DECREF(items);
    return push_new(w, tuple, next);
}

static Py_ssize_t
list_to_mark(Walk *w, Py_ssize_t next)
{
    PyObject *items = pop_mark(w, &next);
    if (items == NULL) {
        return next;
    }
    Py_ssize_t size = PyList_Size(items);
    Py_ssize_t most = w->n_retained < w->kit->most_retained ? w->kit->longest_list : 0;
    if (size > most && PyList_SetSlice(items, most, size, NULL)) {
        Py_DECREF(items);
        return FAILED;
    }
    w->n_retained += size < most ? size : most;
    return push_new(w, items, next);
}

static Py_ssize_t
append(Walk *w, Py_ssize_t next)
{
    if (PyList_Size(w->stack) < 2) {
        return HAND_BACK;
    }
    PyObject *target = peek(w, 1);
    if ((PyObject *)Py_TYPE(target) == w->kit->imported_type) {
        return HAND_BACK;
    }
    if (PyList_CheckExact(target) && PyList_Size(target) < w->kit->longest_list
        && w->n_retained < w->kit->most_retained) {
        w->n_retained++;
        if (PyList_Append(target, peek(w, 0))) {
            return FAILED;
        }
    }
    return drop(w->stack, 1) ? FAILED : next;
}

static int
extend(Walk *w, PyObject *target, PyObject *items)
{
    Py_ssize_t size = PyList_Size(target), n = PyList_Size(items);
    Py_ssize_t room = w->kit->longest_list - size;
    if (room <= 0 || w->n_retained >= w->kit->most_retained) {
        return 0;
    }
    if (n > room) {
        n = room;
        if (PyList_SetSlice(items, n, PyList_Size(items), NULL)) {
            return -1;
        }
    }
    w->n_retained += n;
    return PyList_SetSlice(target, size, size, items);
}

/* ---- dicts ---- */

/* Whether a full dict keeps this key all the same: 1, 0 or -1. */
static int
is_telling(const Walk *w, PyObject *key)
{
    if (!PyUnicode_CheckExact(key)) {
        return 0;
    }
    PyObject *judge = PyObject_GetAttr(w->machine, w->kit->name_judge);
    if (judge == NULL) {
        return -1;
    }
    PyObject *answer = PyObject_CallMethodObjArgs(judge, w->kit->name_telling_key, key, NULL);
    Py_DECREF(judge);
    if (answer == NULL) {
        return -1;
    }
    int telling = PyObject_IsTrue(answer);
    Py_DECREF(answer);
    return telling;
}

static int
store(Walk *w, PyObject *target, PyObject *key, PyObject *value)
{
    if (PyDict_Size(target) >= w->kit->longest_list || w->n_retained >= w->kit->most_retained) {
        int telling = is_telling(w, key);
        if (telling <= 0) {
            return telling;
        }
    }
    int failed;
    if (PyUnicode_CheckExact(key) || PyLong_CheckExact(key)) {
        failed = PyDict_SetItem(target, key, value);
    } else {
        PyObject *own = Py_BuildValue("(n)", w->n_retained);
        failed = own == NULL || PyDict_SetItem(target, own, value);
        Py_XDECREF(own);
    }
    w->n_retained += 2;
    return failed;
}

static int
store_pairs(Walk *w, PyObject *target, PyObject *items)
{
    Py_ssize_t size = PyList_Size(items);
    for (Py_ssize_t i = 0; i + 1 < size; i += 2) {
        if (store(w, target, PyList_GetItem(items, i), PyList_GetItem(items, i + 1))) {
            return -1;
        }
    }
    return 0;
}

static Py_ssize_t
dict_to_mark(Walk *w, Py_ssize_t next)
{
    PyObject *items = pop_mark(w, &next);
    if (items == NULL) {
        return next;
    }
    PyObject *target = PyDict_New();
    int failed = target == NULL || store_pairs(w, target, items);
    Py_DECREF(items);
    if (failed) {
        Py_XDECREF(target);
        return FAILED;
    }
    return push_new(w, target, next);
}

static Py_ssize_t
setitem(Walk *w, Py_ssize_t next)
{
    if (PyList_Size(w->stack) < 3) {
        return HAND_BACK;
    }
    PyObject *target = peek(w, 2);
    if ((PyObject *)Py_TYPE(target) == w->kit->imported_type) {
        return HAND_BACK;
    }
    if (PyDict_CheckExact(target) && store(w, target, peek(w, 1), peek(w, 0))) {
        return FAILED;
    }
    return drop(w->stack, 2) ? FAILED : next;
}

/* APPENDS, SETITEMS and ADDITEMS: what stands above the mark goes into what stands under it. */
static Py_ssize_t
gather(Walk *w, int code, Py_ssize_t next)
{
    if (!stands_under_mark(w)) {
        return HAND_BACK;
    }
    PyObject *under = PyList_GetItem(w->below, PyList_Size(w->below) - 1);
    PyObject *target = PyList_GetItem(under, PyList_Size(under) - 1);
    if ((PyObject *)Py_TYPE(target) == w->kit->imported_type) {
        return HAND_BACK;
    }
    PyObject *items = pop_mark(w, &next);
    if (items == NULL) {
        return next;
    }
    int failed = 0;
    if (code == 'e' && PyList_CheckExact(target)) {
        failed = extend(w, target, items);
    } else if (code == 'u' && PyDict_CheckExact(target)) {
        failed = store_pairs(w, target, items);
    }
    Py_DECREF(items);
    return failed ? FAILED : next;
}

/* ---- calls ---- */

/* Whether the judge would have nothing to say of a call: `_is_plain` of calls.py. 1, 0 or -1. */
static int
is_plain_call(const Walk *w, PyObject *function, PyObject *arguments, int code)
{
    if ((PyObject *)Py_TYPE(function) != w->kit->imported_type) {
        return 0;
    }
    PyObject *grade = PyObject_GetAttr(function, w->kit->name_grade);
    if (grade == NULL) {
        return -1;
    }
    int plain = PyUnicode_Compare(grade, w->kit->constructor) == 0 || PyUnicode_Compare(grade, w->kit->function) == 0
                || (code == 0x81 && PyTuple_CheckExact(arguments) && PyTuple_Size(arguments) == 0
                    && PyUnicode_Compare(grade, w->kit->class_) == 0);
    Py_DECREF(grade);
    return PyErr_Occurred() ? -1 : plain;
}

/* REDUCE and NEWOBJ of a listed callable, once the call graph holds all that it keeps. */
static Py_ssize_t
call(Walk *w, int code, Py_ssize_t next)
{
    Py_ssize_t size = PyList_Size(w->stack);
    if (!w->is_graph_full || size < 2) {
        return HAND_BACK;
    }
    PyObject *function = peek(w, 1), *arguments = peek(w, 0);
    int plain = is_plain_call(w, function, arguments, code);
    if (plain <= 0) {
        return plain ? FAILED : HAND_BACK;
    }
    PyObject *result = PyObject_CallFunctionObjArgs(w->kit->result_type, function, arguments, NULL);
    if (result == NULL || PyList_SetItem(w->stack, size - 2, result)) {
        return FAILED;
    }
    return drop(w->stack, 1) ? FAILED : next;
}

/* ---- the loop ---- */

/* The offset behind the opcode whose argument is at `pos`, or HAND_BACK, or FAILED with an exception. */
static Py_ssize_t
step(Walk *w, int code, Py_ssize_t pos)
{
    switch (code) {
    case 'K': return integer(w, pos, 1);
    case 'M': return integer(w, pos, 2);
    case 'J': return integer(w, pos, 4);
    case 'G': return has(w, pos, 8) ? push(w, w->kit->number, pos + 8) : HAND_BACK;
    case 'N': return push(w, Py_None, pos);
    case 0x88: return push(w, Py_True, pos);
    case 0x89: return push(w, Py_False, pos);
    case 0x8a: return short_long(w, pos);
    case 0x8c: return literal(w, pos, 1, UTF8);
    case 'X': return literal(w, pos, 4, UTF8);
    case 0x8d: return literal(w, pos, 8, UTF8);
    case 'U': return literal(w, pos, 1, LATIN1);
    case 'T': return literal(w, pos, 4, LATIN1);
    case 'C': return literal(w, pos, 1, BYTES);
    case 'B': return literal(w, pos, 4, BYTES);
    case 0x8e:
    case 0x96: return literal(w, pos, 8, BYTES);
    case 0x97: return push(w, w->kit->buffer, pos);
    case 0x98: return pos;
    case 0x94: return memoize(w, pos);
    case 'q': return put_at(w, pos, 1);
    case 'r': return put_at(w, pos, 4);
    case 'h': return get_at(w, pos, 1);
    case 'j': return get_at(w, pos, 4);
    case '(': return mark(w, pos);
    case '0': return pop(w, pos);
    case '1': return drop_to_mark(w, NULL, pos);
    case '2': return PyList_Size(w->stack) > 0 ? push(w, peek(w, 0), pos) : HAND_BACK;
    case 0x80: return pos + 1;
    case 0x95: return pos + 8;
    case ')': return push_new(w, PyTuple_New(0), pos);
    case 0x85: return tuple_of(w, 1, pos);
    case 0x86: return tuple_of(w, 2, pos);
    case 0x87: return tuple_of(w, 3, pos);
    case 't': return tuple_to_mark(w, pos);
    case ']': return push_new(w, PyList_New(0), pos);
    case 'l': return list_to_mark(w, pos);
    case 'a': return append(w, pos);
    case '}': return push_new(w, PyDict_New(), pos);
    case 'd': return dict_to_mark(w, pos);
    case 's': return setitem(w, pos);
    case 'e':
    case 'u':
    case 0x90: return gather(w, code, pos);
    case 0x8f: return push(w, w->kit->set, pos);
    case 'R':
    case 0x81: return call(w, code, pos);
    case 0x91: return drop_to_mark(w, w->kit->set, pos);
    default: return HAND_BACK;
    }
}

static int
read_count(PyObject *machine, PyObject *name, Py_ssize_t *count)
{
    PyObject *value = PyObject_GetAttr(machine, name);
    if (value == NULL) {
        return -1;
    }
    *count = PyLong_AsSsize_t(value);
    Py_DECREF(value);
    return *count == -1 && PyErr_Occurred() ? -1 : 0;
}

static int
write_count(PyObject *machine, PyObject *name, Py_ssize_t count)
{
    PyObject *value = PyLong_FromSsize_t(count);
    int failed = value == NULL || PyObject_SetAttr(machine, name, value);
    Py_XDECREF(value);
    return failed ? -1 : 0;
}

static int
write_stack(const Walk *w)
{
    PyObject *push = PyObject_GetAttr(w->stack, w->kit->name_append);
    int failed = push == NULL || PyObject_SetAttr(w->machine, w->kit->name_stack, w->stack)
                 || PyObject_SetAttr(w->machine, w->kit->name_push, push);
    Py_XDECREF(push);
    return failed ? -1 : 0;
}

/* Interpret until `edge` opcodes are counted or one is handed back, and leave the machine as its handlers would. */
static int
advance(Walk *w, Py_ssize_t *pos, Py_ssize_t *n, Py_ssize_t edge)
{
    const Kit *kit = w->kit;
    Py_ssize_t n_text_bytes, n_retained;
    if (read_count(w->machine, kit->name_text, &n_text_bytes)
        || read_count(w->machine, kit->name_retained, &n_retained)) {
        return -1;
    }
    PyObject *full = PyObject_GetAttr(w->machine, kit->name_graph_full);
    if (full == NULL) {
        return -1;
    }
    w->is_graph_full = full == Py_True;
    Py_DECREF(full);
    PyObject *first = w->stack = PyObject_GetAttr(w->machine, kit->name_stack);
    if (first == NULL) {
        return -1;
    }
    Py_INCREF(first);
    w->n_text_bytes = n_text_bytes;
    w->n_retained = n_retained;
    Py_ssize_t next = 0;
    while (*n < edge && *pos < w->size) {
        next = step(w, w->data[*pos], *pos + 1);
        if (next < 0) {
            break;
        }
        *pos = next;
        ++*n;
    }
    int failed = next == FAILED || (w->stack != first && write_stack(w))
                 || (w->n_text_bytes != n_text_bytes && write_count(w->machine, kit->name_text, w->n_text_bytes))
                 || (w->n_retained != n_retained && write_count(w->machine, kit->name_retained, w->n_retained));
    Py_DECREF(first);
    Py_CLEAR(w->stack);
    return failed ? -1 : 0;
}

static PyObject *
pair(Py_ssize_t first, Py_ssize_t second)
{
    PyObject *values[2] = {PyLong_FromSsize_t(first), PyLong_FromSsize_t(second)};
    PyObject *tuple = values[0] && values[1] ? PyTuple_Pack(2, values[0], values[1]) : NULL;
    Py_XDECREF(values[0]);
    Py_XDECREF(values[1]);
    return tuple;
}

PyDoc_STRVAR(walk_doc, "walk(machine, data, memo, below, sparse, pos, n, edge) -> (pos, n)\n\n"
                       "Interpret plain opcodes until one is for Python, or until n reaches edge.");

static PyObject *
walk(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    Walk w = {.kit = PyModule_GetState(module)};
    if (n_args != 8 || w.kit->number == NULL || !PyList_CheckExact(args[2]) || !PyList_CheckExact(args[3])
        || !PyDict_CheckExact(args[4])) {
        PyErr_SetString(PyExc_TypeError, "walk takes a machine, its buffer, memo, below and sparse, and three counts");
        return NULL;
    }
    w.machine = args[0], w.memo = args[2], w.below = args[3], w.sparse = args[4];
    Py_ssize_t pos = PyLong_AsSsize_t(args[5]), n = PyLong_AsSsize_t(args[6]), edge = PyLong_AsSsize_t(args[7]);
    if (pos < 0 || n < 0 || edge < 0) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_ValueError, "walk takes no negative counts");
        }
        return NULL;
    }
    Py_buffer buffer;
    if (PyObject_GetBuffer(args[1], &buffer, PyBUF_SIMPLE)) {
        return NULL;
    }
    w.data = buffer.buf;
    w.size = buffer.len;
    int failed = advance(&w, &pos, &n, edge);
    PyBuffer_Release(&buffer);
    return failed ? NULL : pair(pos, n);
}

/* ---- the module ---- */

PyDoc_STRVAR(bind_doc, "bind(imported_type, result_type, number, text, set, buffer, longest_list, most_retained, longest_kept, "
                       "object_bytes, largest_gap)\n\nTell the values and bounds of the Python half.");

static PyObject *
bind(PyObject *module, PyObject *args)
{
    Kit *kit = PyModule_GetState(module);
    PyObject *values[6];
    if (!PyArg_ParseTuple(args, "OOOOOOnnnnn", &values[0], &values[1], &values[2], &values[3], &values[4], &values[5],
                          &kit->longest_list, &kit->most_retained, &kit->longest_kept, &kit->object_bytes,
                          &kit->largest_gap)) {
        return NULL;
    }
    PyObject **places[6] = {&kit->imported_type, &kit->result_type, &kit->number, &kit->text, &kit->set, &kit->buffer};
    for (int i = 0; i < 6; i++) {
        Py_INCREF(values[i]);
        Py_XDECREF(*places[i]);
        *places[i] = values[i];
    }
    Py_RETURN_NONE;
}

static int
prepare(PyObject *module)
{
    Kit *kit = PyModule_GetState(module);
    kit->name_stack = PyUnicode_InternFromString("stack");
    kit->name_push = PyUnicode_InternFromString("push");
    kit->name_append = PyUnicode_InternFromString("append");
    kit->name_judge = PyUnicode_InternFromString("judge");
    kit->name_telling_key = PyUnicode_InternFromString("telling_key");
    kit->name_text = PyUnicode_InternFromString("n_text_bytes");
    kit->name_retained = PyUnicode_InternFromString("n_retained");
    kit->name_graph_full = PyUnicode_InternFromString("is_graph_full");
    kit->name_grade = PyUnicode_InternFromString("grade");
    kit->constructor = PyUnicode_InternFromString("constructor");
    kit->function = PyUnicode_InternFromString("function");
    kit->class_ = PyUnicode_InternFromString("class");
    return PyErr_Occurred() ? -1 : PyModule_AddStringConstant(module, "INTERFACE", "1");
}

static PyMethodDef methods[] = {
    {"walk", (PyCFunction)(void (*)(void))walk, METH_FASTCALL, walk_doc},
    {"bind", bind, METH_VARARGS, bind_doc},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {{Py_mod_exec, prepare}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "_walk", .m_size = sizeof(Kit), .m_methods = methods, .m_slots = slots,
};

PyMODINIT_FUNC
PyInit__walk(void)
{
    return PyModuleDef_Init(&definition);
}
