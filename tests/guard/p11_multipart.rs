//! p11_multipart
