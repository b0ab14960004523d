//! Arrow's C data interface: hands columns over without a copy. See "The Arrow C data interface" of Arrow's format.

use std::os::raw::c_void;
use std::ptr;
use std::sync::Arc;

/// What a column is made of, once it is complete.
pub struct Complete {
    pub rows: usize,
    pub nulls: usize,
    /// Its buffers, a bitmap of what is there first; none for a column of nulls alone.
    pub buffers: Vec<Buffer>,
    pub children: Vec<Complete>,
}

/// The memory of one buffer.
pub enum Buffer {
    Absent,
    Bytes(Vec<u8>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Double(Vec<f64>),
    /// That of several columns.
    Shared(Arc<Vec<i64>>),
}

impl Buffer {
    fn address(&self) -> *const c_void {
        match self {
            Buffer::Absent => ptr::null(),
            Buffer::Bytes(values) => values.as_ptr().cast(),
            Buffer::Int32(values) => values.as_ptr().cast(),
            Buffer::Int64(values) => values.as_ptr().cast(),
            Buffer::Double(values) => values.as_ptr().cast(),
            Buffer::Shared(values) => values.as_ptr().cast(),
        }
    }
}

#[repr(C)]
pub struct ArrowArray {
    length: i64,
    null_count: i64,
    offset: i64,
    n_buffers: i64,
    n_children: i64,
    buffers: *mut *const c_void,
    children: *mut *mut ArrowArray,
    dictionary: *mut ArrowArray,
    release: Option<unsafe extern "C" fn(*mut ArrowArray)>,
    private_data: *mut c_void,
}

/// The most buffers that a column has.
const BUFFERS_MAX: usize = 3;

/// What an array's pointers point into.
struct Held {
    _memory: Vec<Buffer>,
    addresses: [*const c_void; BUFFERS_MAX],
    children: Vec<*mut ArrowArray>,
}

impl ArrowArray {
    pub fn of(column: Complete) -> ArrowArray {
        let children = column
            .children
            .into_iter()
            .map(|child| Box::into_raw(Box::new(ArrowArray::of(child))))
            .collect();
        let mut addresses = [ptr::null(); BUFFERS_MAX];
        for (address, buffer) in addresses.iter_mut().zip(&column.buffers) {
            *address = buffer.address();
        }
        let buffers = column.buffers.len().min(BUFFERS_MAX);
        let mut held = Box::new(Held {
            _memory: column.buffers,
            addresses,
            children,
        });
        ArrowArray {
            length: column.rows as i64,
            null_count: column.nulls as i64,
            offset: 0,
            n_buffers: buffers as i64,
            n_children: held.children.len() as i64,
            buffers: held.addresses.as_mut_ptr(),
            children: held.children.as_mut_ptr(),
            dictionary: ptr::null_mut(),
            release: Some(release),
            private_data: Box::into_raw(held).cast(),
        }
    }
}

/// Frees an array and those of its children that nobody has taken.
unsafe extern "C" fn release(array: *mut ArrowArray) {
    let array = &mut *array;
    let held = Box::from_raw(array.private_data.cast::<Held>());
    for child in &held.children {
        let mut child = Box::from_raw(*child);
        if let Some(release) = child.release {
            release(&mut *child);
        }
    }
    array.release = None;
}
