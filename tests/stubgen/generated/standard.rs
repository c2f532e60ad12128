// Written by `oad::stubgen` from Python 3.11.

/// Text I/O implementation using an in-memory buffer.
#[oad::python("io.StringIO")]
pub trait StringIO {
    // Not typed: `initial_value`, `newline` (no annotation).
    fn new(
        #[oad(keyword)] initial_value: Option<oad::Value>,
        #[oad(keyword)] newline: Option<oad::Value>,
    ) -> Self;
    /// Close the IO object.
    // Not typed: the result (no annotation).
    fn close(&self) -> oad::Value;
    /// Retrieve the entire contents of the object.
    // Not typed: the result (no annotation).
    fn getvalue(&self) -> oad::Value;
    /// Read at most size characters, returned as a string.
    // Not typed: `size`, the result (no annotation).
    fn read(&self, #[oad(optional)] size: Option<oad::Value>) -> oad::Value;
    /// Read until newline or EOF.
    // Not typed: `size`, the result (no annotation).
    fn readline(&self, #[oad(optional)] size: Option<oad::Value>) -> oad::Value;
    /// Tell the current file position.
    // Not typed: the result (no annotation).
    fn tell(&self) -> oad::Value;
    /// Truncate size to pos.
    // Not typed: `pos`, the result (no annotation).
    fn truncate(&self, #[oad(optional)] pos: Option<oad::Value>) -> oad::Value;
    /// Change stream position.
    // Not typed: `pos`, `whence`, the result (no annotation).
    fn seek(
        &self,
        pos: impl oad::ToPython,
        #[oad(optional)] whence: Option<oad::Value>,
    ) -> oad::Value;
    /// Write string to file.
    // Not typed: `s`, the result (no annotation).
    fn write(&self, s: impl oad::ToPython) -> oad::Value;
    /// Returns True if the IO object can be seeked.
    // Not typed: the result (no annotation).
    fn seekable(&self) -> oad::Value;
    /// Returns True if the IO object can be read.
    // Not typed: the result (no annotation).
    fn readable(&self) -> oad::Value;
    /// Returns True if the IO object can be written.
    // Not typed: the result (no annotation).
    fn writable(&self) -> oad::Value;
    // Not typed: the attribute (no annotation).
    #[oad(attribute)]
    fn closed(&self) -> oad::Value;
    /// Line endings translated so far.
    // Not typed: the attribute (no annotation).
    #[oad(attribute)]
    fn newlines(&self) -> oad::Value;
    // Not typed: the attribute (no annotation).
    #[oad(attribute)]
    fn line_buffering(&self) -> oad::Value;
    /// Separate the underlying buffer from the TextIOBase and return it.
    // Not typed: the parameters (Python reports no signature).
    // Not typed: the result (no annotation).
    fn detach(
        &self,
        #[oad(args)] args: impl oad::ToPython,
        #[oad(keywords)] keywords: impl oad::ToPython,
    ) -> oad::Value;
    /// Encoding of the text stream.
    // Not typed: the attribute (no annotation).
    #[oad(attribute)]
    fn encoding(&self) -> oad::Value;
    /// The error setting of the decoder or encoder.
    // Not typed: the attribute (no annotation).
    #[oad(attribute)]
    fn errors(&self) -> oad::Value;
    /// Flush write buffers, if applicable.
    // Not typed: the result (no annotation).
    fn flush(&self) -> oad::Value;
    /// Returns underlying file descriptor if one exists.
    // Not typed: the result (no annotation).
    fn fileno(&self) -> oad::Value;
    /// Return whether this is an 'interactive' stream.
    // Not typed: the result (no annotation).
    fn isatty(&self) -> oad::Value;
    /// Return a list of lines from the stream.
    // Not typed: `hint`, the result (no annotation).
    fn readlines(&self, #[oad(optional)] hint: Option<oad::Value>) -> oad::Value;
    /// Write a list of lines to stream.
    // Not typed: `lines`, the result (no annotation).
    fn writelines(&self, lines: impl oad::ToPython) -> oad::Value;
}

/// This class implements rational numbers.
#[oad::python("fractions.Fraction")]
pub trait Fraction {
    // Not typed: `numerator`, `denominator` (no annotation).
    fn new(
        #[oad(keyword)] numerator: Option<oad::Value>,
        #[oad(keyword)] denominator: Option<oad::Value>,
    ) -> Self;
    /// Converts a finite float to a rational number, exactly.
    // Not typed: `f`, the result (no annotation).
    fn from_float(&self, f: impl oad::ToPython) -> oad::Value;
    /// Converts a finite Decimal instance to a rational number, exactly.
    // Not typed: `dec`, the result (no annotation).
    fn from_decimal(&self, dec: impl oad::ToPython) -> oad::Value;
    /// Return the integer ratio as a tuple.
    // Not typed: the result (no annotation).
    fn as_integer_ratio(&self) -> oad::Value;
    /// Closest Fraction to self with denominator at most max_denominator.
    // Not typed: `max_denominator`, the result (no annotation).
    fn limit_denominator(&self, #[oad(keyword)] max_denominator: Option<oad::Value>) -> oad::Value;
    // Not typed: the attribute (no annotation).
    #[oad(attribute)]
    fn numerator(&self) -> oad::Value;
    // Not typed: the attribute (no annotation).
    #[oad(attribute)]
    fn denominator(&self) -> oad::Value;
    /// Real numbers are their real component.
    // Not typed: the attribute (no annotation).
    #[oad(attribute)]
    fn real(&self) -> oad::Value;
    /// Real numbers have no imaginary component.
    // Not typed: the attribute (no annotation).
    #[oad(attribute)]
    fn imag(&self) -> oad::Value;
    /// Conjugate is a no-op for Reals.
    // Not typed: the result (no annotation).
    fn conjugate(&self) -> oad::Value;
}

/// PurePath subclass for non-Windows systems.
#[oad::python("pathlib.PurePosixPath")]
pub trait PurePosixPath {
    fn new(#[oad(args)] args: impl oad::ToPython) -> Self;
    /// Return the string representation of the path with forward (/) slashes.
    // Not typed: the result (no annotation).
    fn as_posix(&self) -> oad::Value;
    /// Return the path as a 'file' URI.
    // Not typed: the result (no annotation).
    fn as_uri(&self) -> oad::Value;
    /// The drive prefix (letter or UNC path), if any.
    // Not typed: the attribute (no annotation).
    #[oad(attribute)]
    fn drive(&self) -> oad::Value;
    /// The root of the path, if any.
    // Not typed: the attribute (no annotation).
    #[oad(attribute)]
    fn root(&self) -> oad::Value;
    /// The concatenation of the drive and root, or ''.
    // Not typed: the attribute (no annotation).
    #[oad(attribute)]
    fn anchor(&self) -> oad::Value;
    /// The final path component, if any.
    // Not typed: the attribute (no annotation).
    #[oad(attribute)]
    fn name(&self) -> oad::Value;
    /// The final component's last suffix, if any.
    // Not typed: the attribute (no annotation).
    #[oad(attribute)]
    fn suffix(&self) -> oad::Value;
    /// A list of the final component's suffixes, if any.
    // Not typed: the attribute (no annotation).
    #[oad(attribute)]
    fn suffixes(&self) -> oad::Value;
    /// The final path component, minus its last suffix.
    // Not typed: the attribute (no annotation).
    #[oad(attribute)]
    fn stem(&self) -> oad::Value;
    /// Return a new path with the file name changed.
    // Not typed: `name`, the result (no annotation).
    fn with_name(&self, name: impl oad::ToPython) -> oad::Value;
    /// Return a new path with the stem changed.
    // Not typed: `stem`, the result (no annotation).
    fn with_stem(&self, stem: impl oad::ToPython) -> oad::Value;
    /// Return a new path with the file suffix changed. If the path has no suffix, add
    /// given suffix. If the given suffix is an empty string, remove the suffix from the
    /// path.
    // Not typed: `suffix`, the result (no annotation).
    fn with_suffix(&self, suffix: impl oad::ToPython) -> oad::Value;
    /// Return the relative path to another path identified by the passed arguments. If
    /// the operation is not possible (because this is not a subpath of the other path),
    /// raise ValueError.
    // Not typed: the result (no annotation).
    fn relative_to(&self, #[oad(args)] other: impl oad::ToPython) -> oad::Value;
    /// Return True if the path is relative to another path or False.
    // Not typed: the result (no annotation).
    fn is_relative_to(&self, #[oad(args)] other: impl oad::ToPython) -> oad::Value;
    /// An object providing sequence-like access to the components in the filesystem path.
    // Not typed: the attribute (no annotation).
    #[oad(attribute)]
    fn parts(&self) -> oad::Value;
    /// Combine this path with one or several arguments, and return a new path
    /// representing either a subpath (if all arguments are relative paths) or a totally
    /// different path (if one of the arguments is ancho
    // Not typed: the result (no annotation).
    fn joinpath(&self, #[oad(args)] args: impl oad::ToPython) -> oad::Value;
    /// The logical parent of the path.
    // Not typed: the attribute (no annotation).
    #[oad(attribute)]
    fn parent(&self) -> oad::Value;
    /// A sequence of this path's logical parents.
    // Not typed: the attribute (no annotation).
    #[oad(attribute)]
    fn parents(&self) -> oad::Value;
    /// True if the path is absolute (has both a root and, if applicable, a drive).
    // Not typed: the result (no annotation).
    fn is_absolute(&self) -> oad::Value;
    /// Return True if the path contains one of the special names reserved by the system,
    /// if any.
    // Not typed: the result (no annotation).
    fn is_reserved(&self) -> oad::Value;
    /// Return True if this path matches the given pattern.
    // Not typed: `path_pattern`, the result (no annotation).
    fn r#match(&self, path_pattern: impl oad::ToPython) -> oad::Value;
}

/// Dict subclass for counting hashable items. Sometimes called a bag or multiset.
/// Elements are stored as dictionary keys and their counts are stored as dictionary
/// values.
#[oad::python("collections.Counter")]
pub trait Counter {
    // Not typed: `iterable` (no annotation).
    fn new(
        #[oad(optional)] iterable: Option<oad::Value>,
        #[oad(keywords)] kwds: impl oad::ToPython,
    ) -> Self;
    /// Sum of the counts
    // Not typed: the result (no annotation).
    fn total(&self) -> oad::Value;
    /// List the n most common elements and their counts from the most common to the
    /// least. If n is None, then list all element counts.
    // Not typed: `n`, the result (no annotation).
    fn most_common(&self, #[oad(keyword)] n: Option<oad::Value>) -> oad::Value;
    /// Iterator over elements repeating each as many times as its count.
    // Not typed: the result (no annotation).
    fn elements(&self) -> oad::Value;
    /// Create a new dictionary with keys from iterable and values set to value.
    // Not typed: `iterable`, `v`, the result (no annotation).
    fn fromkeys(
        &self,
        iterable: impl oad::ToPython,
        #[oad(keyword)] v: Option<oad::Value>,
    ) -> oad::Value;
    /// Like dict.update() but add counts instead of replacing them.
    // Not typed: `iterable`, the result (no annotation).
    fn update(
        &self,
        #[oad(optional)] iterable: Option<oad::Value>,
        #[oad(keywords)] kwds: impl oad::ToPython,
    ) -> oad::Value;
    /// Like dict.update() but subtracts counts instead of replacing them. Counts can be
    /// reduced below zero. Both the inputs and outputs are allowed to contain zero and
    /// negative counts.
    // Not typed: `iterable`, the result (no annotation).
    fn subtract(
        &self,
        #[oad(optional)] iterable: Option<oad::Value>,
        #[oad(keywords)] kwds: impl oad::ToPython,
    ) -> oad::Value;
    /// Return a shallow copy.
    // Not typed: the result (no annotation).
    fn copy(&self) -> oad::Value;
    /// Return the value for key if key is in the dictionary, else default.
    // Not typed: `key`, `default`, the result (no annotation).
    fn get(
        &self,
        key: impl oad::ToPython,
        #[oad(optional)] default: Option<oad::Value>,
    ) -> oad::Value;
    /// Insert key with a value of default if key is not in the dictionary.
    // Not typed: `key`, `default`, the result (no annotation).
    fn setdefault(
        &self,
        key: impl oad::ToPython,
        #[oad(optional)] default: Option<oad::Value>,
    ) -> oad::Value;
    /// D.pop(k\[,d\]) -\> v, remove specified key and return the corresponding value.
    // Not typed: the parameters (Python reports no signature).
    // Not typed: the result (no annotation).
    fn pop(
        &self,
        #[oad(args)] args: impl oad::ToPython,
        #[oad(keywords)] keywords: impl oad::ToPython,
    ) -> oad::Value;
    /// Remove and return a (key, value) pair as a 2-tuple.
    // Not typed: the result (no annotation).
    fn popitem(&self) -> oad::Value;
    /// D.keys() -\> a set-like object providing a view on D's keys
    // Not typed: the parameters (Python reports no signature).
    // Not typed: the result (no annotation).
    fn keys(
        &self,
        #[oad(args)] args: impl oad::ToPython,
        #[oad(keywords)] keywords: impl oad::ToPython,
    ) -> oad::Value;
    /// D.items() -\> a set-like object providing a view on D's items
    // Not typed: the parameters (Python reports no signature).
    // Not typed: the result (no annotation).
    fn items(
        &self,
        #[oad(args)] args: impl oad::ToPython,
        #[oad(keywords)] keywords: impl oad::ToPython,
    ) -> oad::Value;
    /// D.values() -\> an object providing a view on D's values
    // Not typed: the parameters (Python reports no signature).
    // Not typed: the result (no annotation).
    fn values(
        &self,
        #[oad(args)] args: impl oad::ToPython,
        #[oad(keywords)] keywords: impl oad::ToPython,
    ) -> oad::Value;
    /// D.clear() -\> None. Remove all items from D.
    // Not typed: the parameters (Python reports no signature).
    // Not typed: the result (no annotation).
    fn clear(
        &self,
        #[oad(args)] args: impl oad::ToPython,
        #[oad(keywords)] keywords: impl oad::ToPython,
    ) -> oad::Value;
}

/// date(year, month, day) --\> date object
#[oad::python("datetime.date")]
pub trait Date {
    // Not typed: the parameters (Python reports no signature).
    fn new(
        #[oad(args)] args: impl oad::ToPython,
        #[oad(keywords)] keywords: impl oad::ToPython,
    ) -> Self;
    /// Create a date from a POSIX timestamp.
    // Not typed: `timestamp`, the result (no annotation).
    fn fromtimestamp(&self, timestamp: impl oad::ToPython) -> oad::Value;
    /// int -\> date corresponding to a proleptic Gregorian ordinal.
    // Not typed: the parameters (Python reports no signature).
    // Not typed: the result (no annotation).
    fn fromordinal(
        &self,
        #[oad(args)] args: impl oad::ToPython,
        #[oad(keywords)] keywords: impl oad::ToPython,
    ) -> oad::Value;
    /// str -\> Construct a date from a string in ISO 8601 format.
    // Not typed: the parameters (Python reports no signature).
    // Not typed: the result (no annotation).
    fn fromisoformat(
        &self,
        #[oad(args)] args: impl oad::ToPython,
        #[oad(keywords)] keywords: impl oad::ToPython,
    ) -> oad::Value;
    /// int, int, int -\> Construct a date from the ISO year, week number and weekday.
    // Not typed: the parameters (Python reports no signature).
    // Not typed: the result (no annotation).
    fn fromisocalendar(
        &self,
        #[oad(args)] args: impl oad::ToPython,
        #[oad(keywords)] keywords: impl oad::ToPython,
    ) -> oad::Value;
    /// Current date or datetime: same as self.__class__.fromtimestamp(time.time()).
    // Not typed: the parameters (Python reports no signature).
    // Not typed: the result (no annotation).
    fn today(
        &self,
        #[oad(args)] args: impl oad::ToPython,
        #[oad(keywords)] keywords: impl oad::ToPython,
    ) -> oad::Value;
    /// Return ctime() style string.
    // Not typed: the parameters (Python reports no signature).
    // Not typed: the result (no annotation).
    fn ctime(
        &self,
        #[oad(args)] args: impl oad::ToPython,
        #[oad(keywords)] keywords: impl oad::ToPython,
    ) -> oad::Value;
    /// format -\> strftime() style string.
    // Not typed: the parameters (Python reports no signature).
    // Not typed: the result (no annotation).
    fn strftime(
        &self,
        #[oad(args)] args: impl oad::ToPython,
        #[oad(keywords)] keywords: impl oad::ToPython,
    ) -> oad::Value;
    /// Return time tuple, compatible with time.localtime().
    // Not typed: the parameters (Python reports no signature).
    // Not typed: the result (no annotation).
    fn timetuple(
        &self,
        #[oad(args)] args: impl oad::ToPython,
        #[oad(keywords)] keywords: impl oad::ToPython,
    ) -> oad::Value;
    /// Return a named tuple containing ISO year, week number, and weekday.
    // Not typed: the parameters (Python reports no signature).
    // Not typed: the result (no annotation).
    fn isocalendar(
        &self,
        #[oad(args)] args: impl oad::ToPython,
        #[oad(keywords)] keywords: impl oad::ToPython,
    ) -> oad::Value;
    /// Return string in ISO 8601 format, YYYY-MM-DD.
    // Not typed: the parameters (Python reports no signature).
    // Not typed: the result (no annotation).
    fn isoformat(
        &self,
        #[oad(args)] args: impl oad::ToPython,
        #[oad(keywords)] keywords: impl oad::ToPython,
    ) -> oad::Value;
    /// Return the day of the week represented by the date. Monday == 1 ... Sunday == 7
    // Not typed: the parameters (Python reports no signature).
    // Not typed: the result (no annotation).
    fn isoweekday(
        &self,
        #[oad(args)] args: impl oad::ToPython,
        #[oad(keywords)] keywords: impl oad::ToPython,
    ) -> oad::Value;
    /// Return proleptic Gregorian ordinal. January 1 of year 1 is day 1.
    // Not typed: the parameters (Python reports no signature).
    // Not typed: the result (no annotation).
    fn toordinal(
        &self,
        #[oad(args)] args: impl oad::ToPython,
        #[oad(keywords)] keywords: impl oad::ToPython,
    ) -> oad::Value;
    /// Return the day of the week represented by the date. Monday == 0 ... Sunday == 6
    // Not typed: the parameters (Python reports no signature).
    // Not typed: the result (no annotation).
    fn weekday(
        &self,
        #[oad(args)] args: impl oad::ToPython,
        #[oad(keywords)] keywords: impl oad::ToPython,
    ) -> oad::Value;
    /// Return date with new specified fields.
    // Not typed: the parameters (Python reports no signature).
    // Not typed: the result (no annotation).
    fn replace(
        &self,
        #[oad(args)] args: impl oad::ToPython,
        #[oad(keywords)] keywords: impl oad::ToPython,
    ) -> oad::Value;
    // Not typed: the attribute (no annotation).
    #[oad(attribute)]
    fn year(&self) -> oad::Value;
    // Not typed: the attribute (no annotation).
    #[oad(attribute)]
    fn month(&self) -> oad::Value;
    // Not typed: the attribute (no annotation).
    #[oad(attribute)]
    fn day(&self) -> oad::Value;
    #[oad(attribute)]
    fn min(&self) -> Self;
    #[oad(attribute)]
    fn max(&self) -> Self;
    #[oad(attribute)]
    fn resolution(&self) -> oad::value::TimeDelta;
}

/// dict() -\> new empty dictionary dict(mapping) -\> new dictionary initialized from a
/// mapping object's (key, value) pairs dict(iterable) -\> new dictionary initialized as
/// if via: d = {} for k, v in iterabl
#[oad::python("builtins.dict")]
pub trait Dict {
    // Not typed: the parameters (Python reports no signature).
    fn new(
        #[oad(args)] args: impl oad::ToPython,
        #[oad(keywords)] keywords: impl oad::ToPython,
    ) -> Self;
    /// Return the value for key if key is in the dictionary, else default.
    // Not typed: `key`, `default`, the result (no annotation).
    fn get(
        &self,
        key: impl oad::ToPython,
        #[oad(optional)] default: Option<oad::Value>,
    ) -> oad::Value;
    /// Insert key with a value of default if key is not in the dictionary.
    // Not typed: `key`, `default`, the result (no annotation).
    fn setdefault(
        &self,
        key: impl oad::ToPython,
        #[oad(optional)] default: Option<oad::Value>,
    ) -> oad::Value;
    /// D.pop(k\[,d\]) -\> v, remove specified key and return the corresponding value.
    // Not typed: the parameters (Python reports no signature).
    // Not typed: the result (no annotation).
    fn pop(
        &self,
        #[oad(args)] args: impl oad::ToPython,
        #[oad(keywords)] keywords: impl oad::ToPython,
    ) -> oad::Value;
    /// Remove and return a (key, value) pair as a 2-tuple.
    // Not typed: the result (no annotation).
    fn popitem(&self) -> oad::Value;
    /// D.keys() -\> a set-like object providing a view on D's keys
    // Not typed: the parameters (Python reports no signature).
    // Not typed: the result (no annotation).
    fn keys(
        &self,
        #[oad(args)] args: impl oad::ToPython,
        #[oad(keywords)] keywords: impl oad::ToPython,
    ) -> oad::Value;
    /// D.items() -\> a set-like object providing a view on D's items
    // Not typed: the parameters (Python reports no signature).
    // Not typed: the result (no annotation).
    fn items(
        &self,
        #[oad(args)] args: impl oad::ToPython,
        #[oad(keywords)] keywords: impl oad::ToPython,
    ) -> oad::Value;
    /// D.values() -\> an object providing a view on D's values
    // Not typed: the parameters (Python reports no signature).
    // Not typed: the result (no annotation).
    fn values(
        &self,
        #[oad(args)] args: impl oad::ToPython,
        #[oad(keywords)] keywords: impl oad::ToPython,
    ) -> oad::Value;
    /// D.update(\[E, \]**F) -\> None. Update D from dict/iterable E and F. If E is
    /// present and has a .keys() method, then does: for k in E: D\[k\] = E\[k\] If E is
    /// present and lacks a .keys() method, then does: for
    // Not typed: the parameters (Python reports no signature).
    // Not typed: the result (no annotation).
    fn update(
        &self,
        #[oad(args)] args: impl oad::ToPython,
        #[oad(keywords)] keywords: impl oad::ToPython,
    ) -> oad::Value;
    /// Create a new dictionary with keys from iterable and values set to value.
    // Not typed: `iterable`, `value`, the result (no annotation).
    fn fromkeys(
        &self,
        iterable: impl oad::ToPython,
        #[oad(optional)] value: Option<oad::Value>,
    ) -> oad::Value;
    /// D.clear() -\> None. Remove all items from D.
    // Not typed: the parameters (Python reports no signature).
    // Not typed: the result (no annotation).
    fn clear(
        &self,
        #[oad(args)] args: impl oad::ToPython,
        #[oad(keywords)] keywords: impl oad::ToPython,
    ) -> oad::Value;
    /// D.copy() -\> a shallow copy of D
    // Not typed: the parameters (Python reports no signature).
    // Not typed: the result (no annotation).
    fn copy(
        &self,
        #[oad(args)] args: impl oad::ToPython,
        #[oad(keywords)] keywords: impl oad::ToPython,
    ) -> oad::Value;
}

/// JSON (JavaScript Object Notation) \<https://json.org\> is a subset of JavaScript
/// syntax (ECMA-262 3rd edition) used as a lightweight data interchange format.
#[oad::python(module = "json")]
pub trait Json {
    /// Serialize ``obj`` as a JSON formatted stream to ``fp`` (a ``.write()``-supporting
    /// file-like object).
    // Not typed: `obj`, `fp`, `skipkeys`, `ensure_ascii`, `check_circular`, `allow_nan`,
    // `cls`, `indent`, `separators`, `default`, `sort_keys`, the result (no annotation).
    fn dump(
        &self,
        obj: impl oad::ToPython,
        fp: impl oad::ToPython,
        #[oad(keyword)] skipkeys: Option<oad::Value>,
        #[oad(keyword)] ensure_ascii: Option<oad::Value>,
        #[oad(keyword)] check_circular: Option<oad::Value>,
        #[oad(keyword)] allow_nan: Option<oad::Value>,
        #[oad(keyword)] cls: Option<oad::Value>,
        #[oad(keyword)] indent: Option<oad::Value>,
        #[oad(keyword)] separators: Option<oad::Value>,
        #[oad(keyword)] default: Option<oad::Value>,
        #[oad(keyword)] sort_keys: Option<oad::Value>,
        #[oad(keywords)] kw: impl oad::ToPython,
    ) -> oad::Value;
    /// Serialize ``obj`` to a JSON formatted ``str``.
    // Not typed: `obj`, `skipkeys`, `ensure_ascii`, `check_circular`, `allow_nan`, `cls`,
    // `indent`, `separators`, `default`, `sort_keys`, the result (no annotation).
    fn dumps(
        &self,
        obj: impl oad::ToPython,
        #[oad(keyword)] skipkeys: Option<oad::Value>,
        #[oad(keyword)] ensure_ascii: Option<oad::Value>,
        #[oad(keyword)] check_circular: Option<oad::Value>,
        #[oad(keyword)] allow_nan: Option<oad::Value>,
        #[oad(keyword)] cls: Option<oad::Value>,
        #[oad(keyword)] indent: Option<oad::Value>,
        #[oad(keyword)] separators: Option<oad::Value>,
        #[oad(keyword)] default: Option<oad::Value>,
        #[oad(keyword)] sort_keys: Option<oad::Value>,
        #[oad(keywords)] kw: impl oad::ToPython,
    ) -> oad::Value;
    /// Deserialize ``fp`` (a ``.read()``-supporting file-like object containing a JSON
    /// document) to a Python object.
    // Not typed: `fp`, `cls`, `object_hook`, `parse_float`, `parse_int`,
    // `parse_constant`, `object_pairs_hook`, the result (no annotation).
    fn load(
        &self,
        fp: impl oad::ToPython,
        #[oad(keyword)] cls: Option<oad::Value>,
        #[oad(keyword)] object_hook: Option<oad::Value>,
        #[oad(keyword)] parse_float: Option<oad::Value>,
        #[oad(keyword)] parse_int: Option<oad::Value>,
        #[oad(keyword)] parse_constant: Option<oad::Value>,
        #[oad(keyword)] object_pairs_hook: Option<oad::Value>,
        #[oad(keywords)] kw: impl oad::ToPython,
    ) -> oad::Value;
    /// Deserialize ``s`` (a ``str``, ``bytes`` or ``bytearray`` instance containing a
    /// JSON document) to a Python object.
    // Not typed: `s`, `cls`, `object_hook`, `parse_float`, `parse_int`, `parse_constant`,
    // `object_pairs_hook`, the result (no annotation).
    fn loads(
        &self,
        s: impl oad::ToPython,
        #[oad(keyword)] cls: Option<oad::Value>,
        #[oad(keyword)] object_hook: Option<oad::Value>,
        #[oad(keyword)] parse_float: Option<oad::Value>,
        #[oad(keyword)] parse_int: Option<oad::Value>,
        #[oad(keyword)] parse_constant: Option<oad::Value>,
        #[oad(keyword)] object_pairs_hook: Option<oad::Value>,
        #[oad(keywords)] kw: impl oad::ToPython,
    ) -> oad::Value;
}
