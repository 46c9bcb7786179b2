"""Names of files of the operating systems: a name alone does not say who runs it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["SYSTEM_FILES"]

SYSTEM_FILES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Windows, started with it": "system smss.exe csrss.exe wininit.exe winlogon.exe "
        "services.exe lsass.exe lsaiso.exe lsm.exe svchost.exe userinit.exe logonui.exe dwm.exe "
        "explorer.exe taskhost.exe taskhostw.exe taskhostex.exe fontdrvhost.exe sihost.exe "
        "ctfmon.exe runtimebroker.exe searchindexer.exe searchhost.exe searchui.exe searchapp.exe "
        "startmenuexperiencehost.exe shellexperiencehost.exe applicationframehost.exe "
        "systemsettings.exe backgroundtaskhost.exe backgroundtransferhost.exe wudfhost.exe "
        "spoolsv.exe audiodg.exe conhost.exe dllhost.exe wmiprvse.exe unsecapp.exe sppsvc.exe "
        "trustedinstaller.exe tiworker.exe wuauclt.exe usoclient.exe mousocoreworker.exe "
        "musnotification.exe securityhealthservice.exe securityhealthsystray.exe msmpeng.exe "
        "nissrv.exe mpcmdrun.exe mssense.exe sgrmbroker.exe smartscreen.exe consent.exe "
        "werfault.exe wermgr.exe dashost.exe compattelrunner.exe registry memcompression "
        "ntoskrnl.exe ntkrnlpa.exe hal.dll winload.exe winload.efi winresume.exe winresume.efi "
        "bootmgr bootmgr.efi bootmgfw.efi bootx64.efi hiberfil.sys pagefile.sys swapfile.sys "
        "ntldr ntdetect.com boot.ini desktop.ini thumbs.db autoexec.bat config.sys ntuser.dat",
        "Windows, used by all programs": "ntdll.dll kernel32.dll kernelbase.dll user32.dll "
        "gdi32.dll gdi32full.dll advapi32.dll shell32.dll shlwapi.dll ole32.dll oleaut32.dll "
        "combase.dll rpcrt4.dll sechost.dll msvcrt.dll ucrtbase.dll ws2_32.dll wininet.dll "
        "winhttp.dll urlmon.dll crypt32.dll bcrypt.dll ncrypt.dll secur32.dll sspicli.dll "
        "netapi32.dll iphlpapi.dll dnsapi.dll mswsock.dll comctl32.dll comdlg32.dll imm32.dll "
        "version.dll setupapi.dll wintrust.dll psapi.dll userenv.dll uxtheme.dll dbghelp.dll "
        "msvcp140.dll vcruntime140.dll vcruntime140_1.dll mscoree.dll clr.dll mscorlib.dll "
        "amsi.dll samlib.dll samsrv.dll lsasrv.dll kerberos.dll msv1_0.dll wdigest.dll "
        "tcpip.sys ntfs.sys fltmgr.sys ndis.sys http.sys win32k.sys win32kbase.sys "
        "win32kfull.sys ci.dll cng.sys",
        "Windows, a tool of it": "cmd.exe powershell.exe powershell_ise.exe pwsh.exe rundll32.exe "
        "regsvr32.exe reg.exe regedit.exe regini.exe regasm.exe regsvcs.exe installutil.exe "
        "msbuild.exe csc.exe cvtres.exe ngen.exe mscorsvw.exe mshta.exe wscript.exe cscript.exe "
        "msiexec.exe certutil.exe bitsadmin.exe schtasks.exe at.exe sc.exe net.exe net1.exe "
        "netsh.exe netstat.exe nslookup.exe ping.exe tracert.exe ipconfig.exe arp.exe route.exe "
        "ftp.exe telnet.exe curl.exe tar.exe ssh.exe scp.exe sftp.exe whoami.exe hostname.exe "
        "systeminfo.exe tasklist.exe taskkill.exe taskmgr.exe wmic.exe wevtutil.exe vssadmin.exe "
        "wbadmin.exe bcdedit.exe fsutil.exe diskpart.exe cipher.exe attrib.exe icacls.exe "
        "cacls.exe takeown.exe xcopy.exe robocopy.exe expand.exe extrac32.exe makecab.exe "
        "findstr.exe find.exe where.exe more.com sort.exe choice.exe timeout.exe shutdown.exe "
        "logoff.exe quser.exe query.exe runas.exe gpupdate.exe gpresult.exe dism.exe sfc.exe "
        "mmc.exe control.exe odbcconf.exe cmstp.exe forfiles.exe pcalua.exe hh.exe "
        "presentationhost.exe wusa.exe ie4uinit.exe mavinject.exe esentutl.exe print.exe "
        "notepad.exe wordpad.exe write.exe calc.exe mspaint.exe iexplore.exe msedge.exe "
        "mstsc.exe msinfo32.exe dxdiag.exe eventvwr.exe perfmon.exe resmon.exe msconfig.exe "
        "winver.exe slui.exe osk.exe magnify.exe narrator.exe utilman.exe sethc.exe "
        "displayswitch.exe snippingtool.exe",
        "Windows, of its servers": "dns.exe ntds.dit ntfrs.exe dfsrs.exe dfssvc.exe ismserv.exe "
        "w3wp.exe inetinfo.exe iissvcs.exe appcmd.exe vmms.exe vmwp.exe vmcompute.exe clussvc.exe "
        "certsrv.exe wsusservice.exe sqlservr.exe store.exe edgetransport.exe "
        "microsoft.activedirectory.webservices.exe",
        "Unix and Linux": "init systemd systemd-journald systemd-udevd systemd-logind "
        "systemd-resolved systemd-networkd systemd-timesyncd dbus-daemon dbus-broker "
        "networkmanager wpa_supplicant dhclient dhcpcd polkitd udevd sshd ssh scp sftp ssh-agent "
        "cron crond atd rsyslogd syslogd syslog-ng auditd chronyd ntpd login getty agetty sulogin "
        "bash sh dash zsh ksh csh tcsh fish busybox sudo su passwd mount umount ls cat cp mv rm "
        "mkdir rmdir touch chmod chown ln ps top kill pkill killall grep egrep fgrep sed awk gawk "
        "find xargs sort head tail wc cut tr tee tar gzip gunzip bzip2 xz zip unzip curl wget nc "
        "ping traceroute ip ifconfig netstat ss iptables nft systemctl journalctl service crontab "
        "python python3 perl ruby java gcc cc ld make rpm dpkg apt apt-get dnf yum zypper snapd "
        "libc.so.6 ld-linux-x86-64.so.2 ld-linux.so.2 libpthread.so.0 libm.so.6 libdl.so.2 "
        "libcrypto.so.3 libssl.so.3 libstdc++.so.6 libsystemd.so.0 libpam.so.0 vmlinuz "
        "initrd.img initramfs.img grubx64.efi shimx64.efi mmx64.efi hosts resolv.conf shadow "
        "group fstab sshd_config authorized_keys known_hosts .bashrc .profile .bash_profile",
        "macOS": "launchd launchctl kernel_task windowserver loginwindow finder dock "
        "systemuiserver mds mds_stores mdworker spotlight coreaudiod cfprefsd distnoted "
        "opendirectoryd securityd trustd syspolicyd xprotectservice amfid mdnsresponder configd "
        "airportd bluetoothd usernoted osascript softwareupdated installer codesign spctl "
        "mach_kernel kernel dyld libsystem.b.dylib .ds_store",
    }
)
