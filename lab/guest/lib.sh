# What the scripts of scenarios can use: begin them with `. /lab/lib.sh`.

# Tells the host something.
lab_mark() {
	echo "@lab $*" >/dev/kmsg
}

# Reports a value that a scenario can expect under [expect.facts].
lab_fact() {
	lab_mark fact "$@"
}

# Suspends to RAM without pm-trace; the real-time clock wakes the machine after $1 seconds.
lab_suspend_to_ram() {
	echo 0 >/sys/class/rtc/rtc0/wakealarm
	echo "+$1" >/sys/class/rtc/rtc0/wakealarm
	echo mem >/sys/power/state
}
