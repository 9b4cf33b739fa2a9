// Package conf is the model of rvrrpd's configuration: what a file says once it has been
// read and validated, which is the work of package conf/source.
package conf
