# What the scripts of scenarios can use: begin them with `. /lab/lib.sh`.

# Tells the host something.
lab_mark() {
	echo "@lab $*" >/dev/kmsg
}

# Reports a value that a scenario can expect under [expect.facts].
lab_fact() {
	lab_mark fact "$@"
}

# Runs a command under a name and tells its exit code and what it said, for [[expect.command]].
lab_try() {
	lab_name=$1
	shift
	"$@" >/run/lab.said 2>&1 </dev/null
	lab_said "$lab_name" $? /run/lab.said
}

# Tells that the command $1 ended with the code $2 and said what is in the file $3.
lab_said() {
	fold -w 800 "$3" | while IFS= read -r line; do
		lab_mark said "$1" "$line"
	done
	lab_fact "exit.$1" "$2"
}

# Waits until the file $2 contains the text $1, at most $3 seconds. Looking takes time from what is waited for: two
# processes each time, on one emulated CPU.
lab_wait_for() {
	lab_tries=$(($3 * 3))
	until grep -q "$1" "$2" 2>/dev/null; do
		lab_tries=$((lab_tries - 1))
		[ "$lab_tries" -gt 0 ] || return 1
		sleep 0.3
	done
}

# Suspends to RAM without pm-trace; the real-time clock wakes the machine after $1 seconds.
lab_suspend_to_ram() {
	echo 0 >/sys/class/rtc/rtc0/wakealarm
	echo "+$1" >/sys/class/rtc/rtc0/wakealarm
	echo mem >/sys/power/state
	lab_code=$?
	# Woken by something else, the alarm would be left.
	echo 0 >/sys/class/rtc/rtc0/wakealarm
	return $lab_code
}

# Tells in which state the machine is left.
lab_state() {
	lab_fact tainted "$(cat /proc/sys/kernel/tainted)"
	lab_fact wakealarm "$(cat /sys/class/rtc/rtc0/wakealarm)"
	lab_fact pm_test "$(sed 's/.*\[\(.*\)\].*/\1/' /sys/power/pm_test)"
	# One grep for all: a process for each takes a slow guest half a minute.
	frozen=$(grep -l refrigerator /proc/[0-9]*/stack 2>/dev/null | tr -dc '0-9\n')
	lab_fact frozen $frozen
}

# Brings the network card up. There is one address to reach: 10.0.2.100, port 7000.
lab_network() {
	ifconfig lo up
	ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up
	# The card takes some seconds to find its cable; what is sent before is sent again late, or never.
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		[ "$(cat /sys/class/net/eth0/carrier)" = 1 ] && break
		sleep 1
	done
}

# Goes through the shapes of the scenario with the module pmlab, one a cycle; lets go of a lockup after $1 ms.
lab_shapes() {
	echo "$1" >/sys/module/pmlab/parameters/release_after_ms
	cat /lab/shapes >/sys/module/pmlab/parameters/shapes
	echo 0 >/sys/module/suspend/parameters/pm_test_delay
	pm-trace suspend --state mem --pm-test devices --live --cycles "$(wc -w </lab/shapes)" -o /tmp/trace.pmtrace
	lab_code=$?
	lab_keep trace.pmtrace
	return $lab_code
}

# Hands files of /tmp to the host on the raw disk, for scenarios with `trace_on_disk`.
lab_keep() {
	tar -C /tmp -cf - "$@" | dd of=/dev/sda bs=64k conv=fsync 2>/dev/null
}

# Accepts a connection to the address $2 of the family $1 (unix: a path, vsock: a port) and writes what comes into
# the file $3. The scenario has to ask for the program perl.
lab_listen() {
	perl -e '
		my ($family, $address) = @ARGV;
		my ($number, $packed) = $family eq "unix" ? (1, pack("Sa*", 1, $address)) : (40, pack("SSLLL", 40, 0, $address, 0xffffffff, 0));
		socket(S, $number, 1, 0) && bind(S, $packed) && listen(S, 1) && accept(C, S) or die "$family: $!";
		$| = 1;
		print while sysread(C, $_, 4096);
	' "$1" "$2" >"$3" 2>&1 &
}

# Runs the rest of the arguments, and has the kernel end them after $1 seconds, whatever is frozen then. The scenario
# has to ask for the program perl.
lab_end_after() {
	# The timer is kept by exec.
	perl -e 'alarm shift; exec @ARGV' "$@"
}
